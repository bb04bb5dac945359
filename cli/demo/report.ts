import { formatBytes } from '../../model/format-bytes.ts';
import { formatDuration } from '../terminal/format.ts';
import type { DiskCheck } from './disk-check.ts';
import type { Kill } from './kills.ts';

/** What was measured; `rouse demo --json` prints it. */
export interface DemoReport {
	accelerator: string;
	/** Two backups of the machine: what each added, of disks of this size. */
	imports: { sizeBytes: number; newBytes: number; storedBytes: number; durationMs: number }[];
	/** From the request to a powered-on machine. */
	runningAfterMs: number;
	/** From the request until the guest's agent spoke. */
	answeredAfterMs: number;
	kills: Kill[];
	switchPauseMs: number;
	/** Files that the guest wrote in all, each of them verified by itself before it powered off. */
	guestVerified: number;
	/** Of the payload, read by the guest. */
	guestReadBytes: number;
	disk: DiskCheck;
	durationMs: number;
}

export function importText(report: DemoReport['imports'][number], which: string): string {
	const saved = 100 - Math.round((report.newBytes / report.sizeBytes) * 100);
	return (
		`${which} backup of ${formatBytes(report.sizeBytes)}: ${formatBytes(report.newBytes)} new, ` +
		`${formatBytes(report.storedBytes)} stored (${saved} % saved before compression), ${formatDuration(report.durationMs)}`
	);
}

export function killText(kill: Kill): string {
	return (
		`at ${formatBytes(kill.restoredBytesBefore)} local: killed ${kill.name} (pid ${kill.pid}); ` +
		`back as pid ${kill.newPid} after ${formatDuration(kill.backAfterMs)}, ${formatBytes(kill.restoredBytesAfter)} local`
	);
}

export function summaryText(report: DemoReport): string {
	const { disk } = report;
	return [
		'',
		'Nothing was lost.',
		`  powered on          ${formatDuration(report.runningAfterMs)} after the request (${report.accelerator})`,
		`  guest answered      ${formatDuration(report.answeredAfterMs)} after the request`,
		`  killed              ${report.kills.length} processes, all came back`,
		`  switch              the guest stood still for ${Math.round(report.switchPauseMs)} ms`,
		`  verified in guest   ${report.guestVerified} files written, ${formatBytes(report.guestReadBytes)} read back`,
		`  verified on disk    ${disk.guestFiles} files written, ${disk.payloadFiles} files (${formatBytes(disk.payloadBytes)}) of the backup`,
		`  in all              ${formatDuration(report.durationMs)}`,
	].join('\n');
}
