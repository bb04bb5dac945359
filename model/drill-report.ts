/** What a drill has found: `report.json`. Read for what is known of it, as it may be of a newer version. */
import * as z from 'zod';
import { errorCodes } from './errors.ts';
import { nameSchema, pointTimeSchema } from './names.ts';

const why = { code: z.enum(errorCodes).nullable(), reason: z.string().nullable() };

const testResultSchema = z.object({
	name: z.string(),
	/** The kind of the test: `agent`, `serial`, `ssh`, `command`, `tcp`, `ping`. */
	by: z.string(),
	passed: z.boolean(),
	...why,
	/** What it said, its end; of the guest or of a person's program: nothing that is to be trusted. */
	output: z.string(),
	durationMs: z.int().min(0),
});
export type TestResult = z.infer<typeof testResultSchema>;

/** What was seen of a machine, as a file beside the report until that is written. */
export const machineFindingsSchema = z.object({
	host: nameSchema.nullable(),
	/** From the request to power-on; null where it was not reached, as of the next two. */
	startMs: z.int().min(0).nullable(),
	/** From power-on to ready. */
	bootMs: z.int().min(0).nullable(),
	/** From the request to ready. */
	readyMs: z.int().min(0).nullable(),
	/** What was read from the repository for its guest, as it is stored there, until the tests were over. */
	readBytes: z.int().min(0).nullable(),
	tests: z.array(testResultSchema),
	/** PNG, in base64; null: see `screenshotReason`. */
	screenshot: z.base64().nullable(),
	screenshotReason: z.string().nullable(),
});
export type MachineFindings = z.infer<typeof machineFindingsSchema>;

export const nothingFound: MachineFindings = {
	host: null,
	startMs: null,
	bootMs: null,
	readyMs: null,
	readBytes: null,
	tests: [],
	screenshot: null,
	screenshotReason: null,
};

/** What became of a machine, as the drill's workflow knows it. */
export const machineOutcomeSchema = z.object({
	/** Of the recovery. */
	name: nameSchema,
	machine: nameSchema,
	restorePoint: pointTimeSchema,
	group: nameSchema,
	recoveryId: z.uuid().nullable(),
	/** It was ready, and passed all its tests. */
	passed: z.boolean(),
	/** Why not. */
	...why,
	/** Nothing of it is left, or there never was anything. */
	discarded: z.boolean(),
});
export type MachineOutcome = z.infer<typeof machineOutcomeSchema>;

/** By how much a number of a machine differs from the last drill's; null where one of both is not known. */
const changeSchema = z.object({
	since: z.iso.datetime(),
	passed: z.boolean(),
	startMs: z.int().nullable(),
	bootMs: z.int().nullable(),
	readyMs: z.int().nullable(),
	readBytes: z.int().nullable(),
});
export type MachineChange = z.infer<typeof changeSchema>;

export const machineReportSchema = z.object({
	...machineOutcomeSchema.shape,
	...machineFindingsSchema.shape,
	/** Since the last drill of this name that had the machine; `passed`: what it was then. */
	change: changeSchema.nullable(),
});
export type MachineReport = z.infer<typeof machineReportSchema>;

export const drillReportSchema = z.object({
	version: z.literal(1),
	name: nameSchema,
	reason: z.string(),
	requestedBy: z.string(),
	startedAt: z.iso.datetime(),
	/** Of the tests: what is thrown away after that is. */
	endedAt: z.iso.datetime(),
	passed: z.boolean(),
	/** Why it was ended before all was tried. */
	cancelled: z.string().nullable(),
	machines: z.array(machineReportSchema),
});
export type DrillReport = z.infer<typeof drillReportSchema>;

/** Name of a report's directory: its start, without what file systems or people stumble over. */
export function reportDirectory(startedAt: string): string {
	return startedAt.replaceAll(':', '-').replace(/\.\d+Z$/, 'Z');
}
