import * as z from 'zod';
import {
	drillReportSchema,
	type MachineChange,
	type MachineFindings,
	type MachineOutcome,
	machineReportSchema,
} from '../model/drill-report.ts';

const measures = ['startMs', 'bootMs', 'readyMs', 'readBytes'] as const;

/** A report without what guests said and showed, which may be a hundred megabytes of pictures. */
export const earlierReportSchema = z.object({
	startedAt: drillReportSchema.shape.startedAt,
	machines: z.array(
		machineReportSchema.pick({
			name: true,
			machine: true,
			passed: true,
			startMs: true,
			bootMs: true,
			readyMs: true,
			readBytes: true,
		}),
	),
});
export type EarlierReport = z.infer<typeof earlierReportSchema>;

/** Against the newest of `before` that had the machine. */
export function changeOf(
	now: Pick<MachineOutcome, 'machine' | 'name'> & Pick<MachineFindings, (typeof measures)[number]>,
	before: readonly EarlierReport[],
): MachineChange | null {
	for (const { startedAt: since, machines } of before) {
		const then =
			machines.find(({ name, machine }) => name === now.name && machine === now.machine) ??
			machines.find(({ machine }) => machine === now.machine);
		if (then === undefined) continue;
		const by = (what: (typeof measures)[number]) => {
			const [a, b] = [then[what], now[what]];
			return a === null || b === null ? null : b - a;
		};
		return {
			since,
			passed: then.passed,
			startMs: by('startMs'),
			bootMs: by('bootMs'),
			readyMs: by('readyMs'),
			readBytes: by('readBytes'),
		};
	}
	return null;
}
