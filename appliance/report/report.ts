/** What an appliance says of itself on its console, a line of JSON after each boot. */
import * as z from 'zod';
import { outcomeSchema } from './outcome.ts';

/** What the line begins with, behind what systemd and the kernel put before it. */
export const reportMark = 'rouse-appliance-report ';

const reportSchema = z.object({
	...outcomeSchema.shape,
	rouse: z.string(),
	node: z.string(),
	kernel: z.string(),
	/** Unit and its state, as `active`. */
	services: z.record(z.string(), z.string()),
	/** Its socket is open; false where nothing is configured. */
	supervisorListens: z.boolean(),
	/** Modules of the kernel that can be loaded. */
	modules: z.record(z.string(), z.boolean()),
	addresses: z.array(z.string()),
	disks: z.array(
		z.object({
			name: z.string(),
			sizeBytes: z.number(),
			/** Controller, channel, target and LUN, as the kernel counts them. */
			scsi: z.string(),
			/** In page 83; null for a disk that is not Hyper-V's. */
			virtualDiskId: z.string().nullable(),
			/** Page 83 as it is, in hexadecimal. */
			page83: z.string().nullable(),
		}),
	),
});
export type Report = z.infer<typeof reportSchema>;

/** The last whole report in what was read of a console; undefined when there is none yet. */
export function findReport(console: string): Report | undefined {
	const lines = console.split(/\r?\n/).slice(0, -1);
	const line = lines.findLast(one => one.includes(reportMark));
	if (line === undefined) return undefined;
	return reportSchema.parse(JSON.parse(line.slice(line.indexOf(reportMark) + reportMark.length)));
}
