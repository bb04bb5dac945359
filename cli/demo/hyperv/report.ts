import { formatBytes } from '../../../model/format-bytes.ts';
import { formatDuration } from '../../terminal/format.ts';
import type { Kill } from '../kills.ts';

/** What was measured; `rouse demo --hyperv --json` prints it. */
export interface HypervDemoReport {
	/** Nothing of it ran on Windows. */
	windows: 'simulated';
	sizeBytes: number;
	/** From the request to a powered-on machine. */
	runningAfterMs: number;
	kills: Kill[];
	switchPauseMs: number;
	writtenBlocks: number;
	reads: number;
	durationMs: number;
}

export function summaryText(report: HypervDemoReport): string {
	return [
		'',
		'Nothing was lost. The Windows side was simulated: none of this ran on Hyper-V.',
		`  disk           ${formatBytes(report.sizeBytes)}`,
		`  powered on     ${formatDuration(report.runningAfterMs)} after the request`,
		`  killed         ${report.kills.length} processes, all came back`,
		`  switch         the guest stood still for ${formatDuration(report.switchPauseMs)}`,
		`  guest          ${report.writtenBlocks} blocks written, ${report.reads} reads, all right`,
		`  in all         ${formatDuration(report.durationMs)}`,
	].join('\n');
}
