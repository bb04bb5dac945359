import { formatDuration } from '../../terminal/format.ts';
import type { Replaced } from '../kills.ts';
import type { GroupTimes } from './groups.ts';

/** What was measured; `rouse demo --batch --json` prints it. */
export interface BatchDemoReport {
	/** Of the one machine that ran. */
	accelerator: string;
	/** These were files alone. */
	simulatedMachines: number;
	groups: GroupTimes[];
	/** One that waited, and for what, as the broker said. */
	waited: { machine: string; for: string };
	kill: Replaced;
	/** Places of the hosts, and how many were taken at the fullest moment by the audits of all recoveries. */
	places: { host: string; places: number; most: number }[];
	/** Files that the real guest wrote and verified. */
	guestVerified: number;
	/** Recoveries that were discarded, and finished machines that were removed. */
	discarded: number;
	removed: number;
	durationMs: number;
}

export function placesText({ host, places, most }: BatchDemoReport['places'][number]): string {
	return `${host}: at most ${most} of ${places} places taken at once`;
}

export function summaryText(report: BatchDemoReport): string {
	const { groups, kill } = report;
	const machines = groups.reduce((sum, group) => sum + group.machines, 0);
	const ready = Math.max(...groups.map(group => group.readyAfterMs));
	return [
		'',
		`A site came back in order; ${report.simulatedMachines} of its machines were simulated, one ran (${report.accelerator}).`,
		`  ready          ${machines} machines in ${groups.length} groups, ${formatDuration(ready)} after the request`,
		`  places         ${report.places.map(placesText).join('; ')}`,
		`  killed         ${kill.name}, back after ${formatDuration(kill.backAfterMs)}`,
		`  guest          ${report.guestVerified} files written and verified`,
		`  thrown away    ${report.discarded} recoveries discarded, ${report.removed} finished machines removed`,
		`  in all         ${formatDuration(report.durationMs)}`,
	].join('\n');
}
