/** Characters. Two thousand of them are handed to the next run, within Temporal's 2 MiB. */
const reasonLength = 120;

export function shortReason(reason: string | null): string | null {
	return reason === null || reason.length <= reasonLength ? reason : `${reason.slice(0, reasonLength - 1)}…`;
}
