import type { RecoveryStatus } from '../model/recovery.ts';

/** Markdown for Temporal's own UI. */
export function currentDetails(status: RecoveryStatus, restoredBytes: number | null): string {
	const { machine, restorePoint, host, phase, power, parked, failure } = status;
	const lines = [
		`**${phase}** · power ${power} · ${machine}@${restorePoint} ${host === null ? 'without a host yet' : `on ${host}`}`,
	];
	if (restoredBytes !== null) lines.push(`restored: ${(restoredBytes / 2 ** 30).toFixed(2)} GiB`);
	if (parked) {
		const { order, first } = parked.next;
		lines.push(`**parked** since ${parked.since}: ${parked.reason} (${parked.code})`);
		lines.push(`next: ${first ? `${first}, then ` : ''}order **${order}**`);
	}
	if (failure) lines.push(`**failed**: ${failure.message} (${failure.code})`);
	return lines.join('\n\n');
}
