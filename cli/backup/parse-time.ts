import { InvalidArgumentError } from '@commander-js/extra-typings';

const shape = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})(:\d{2}(\.\d+)?)?(Z|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

/** RFC 3339 with any offset, as the full name of a point: UTC with milliseconds. */
export function parseTime(text: string): string {
	const [, minute, , , , sign, hours, minutes] = shape.exec(text.toUpperCase()) ?? [];
	const time = new Date(text.toUpperCase());
	if (minute === undefined || Number.isNaN(time.getTime()))
		throw new InvalidArgumentError(`"${text}" is no time: write 2026-11-20T03:00:00Z or 2026-11-20T04:00:00+01:00.`);
	// Date makes 2 March of 30 February without a word: what was written must come back.
	const offsetMs = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000 * (sign === '-' ? -1 : 1);
	if (!new Date(time.getTime() + offsetMs).toISOString().startsWith(minute))
		throw new InvalidArgumentError(`"${text}": there is no such day or hour.`);
	return time.toISOString();
}
