/** What whoever typed a command can do about its error. Errors of the layers below carry codes and details, no commands. */
import * as z from 'zod';
import { type ErrorCode, errorCodes, type RouseError } from '../model/errors.ts';
import { nextSchema, orderSchema } from '../model/next.ts';
import { phaseSchema } from '../model/recovery.ts';
import { adoptText, commandOf, lastResortText, nextText } from './recover/next-text.ts';

/** What errors about recoveries have in their details. */
const detailsSchema = z.object({
	recovery: z.string(),
	phase: phaseSchema.optional(),
	/** Temporal's word for its workflow. */
	workflow: z.string().optional(),
	/** The order that was refused. */
	order: z.string().optional(),
	/** An order that helps. */
	next: orderSchema.optional(),
	first: nextSchema.shape.first,
	/** Its machine was removed from the host after the finish. */
	removed: z.literal(true).optional(),
	/** Whose worker took no order. */
	missing: z.enum(['host']).optional(),
	/** Why it is parked. */
	code: z.enum(errorCodes).optional(),
});
type Details = z.infer<typeof detailsSchema>;

/** What errors about batches have in their details. */
const batchSchema = z.object({ batch: z.string() });

/** The hint of an error: its own, else what its code and its details mean to somebody at a command line. */
export function hintOf({ hint, code, details }: RouseError): string | undefined {
	if (hint) return hint;
	const about = detailsSchema.safeParse(details).data;
	const batch = batchSchema.safeParse(details).data;
	const drill = z.object({ drill: z.string() }).safeParse(details).data;
	const schedule = z.object({ drillSchedule: z.string() }).safeParse(details).data;
	if (schedule) return aboutSchedule(code, 'rouse drill schedule', schedule.drillSchedule);
	const backups = z.object({ importSchedule: z.string() }).safeParse(details).data;
	if (backups) return aboutSchedule(code, 'rouse backup schedule', backups.importSchedule);
	const backup = z.object({ import: z.string(), source: z.string().optional() }).safeParse(details).data;
	if (backup) return aboutImport[code]?.(backup.source) ?? general[code];
	if (drill) return aboutDrill[code]?.(drill.drill) ?? general[code];
	if (batch) return aboutBatch[code]?.(batch.batch) ?? general[code];
	return (about && aboutRecovery[code]?.(about)) ?? tooLargeHint(details) ?? general[code];
}

/** Of one that is not there nobody is told to remove it. */
function aboutSchedule(code: ErrorCode, commands: string, name: string): string {
	const anew = code === 'name_conflict' ? `; to make it anew: ${commands} remove ${name}` : '';
	return `what there is: ${commands} list${anew}`;
}

/** A quarter of the host is left to the others, and to Rouse. */
function tooLargeHint(details: RouseError['details']): string | undefined {
	const size = z.object({ neededMiB: z.number(), totalMiB: z.number() }).safeParse(details).data;
	if (size === undefined) return undefined;
	return `give it less: the same rouse recover start with --memory ${Math.floor((size.totalMiB * 3) / 4)}MiB`;
}

const general: Partial<Record<ErrorCode, string>> = {
	temporal_unreachable: 'machines run on; start it: rouse up --detach (one elsewhere: temporal.address in config.yaml)',
	supervisor_unreachable: 'machines run on; start it: rouse up --detach; if it hangs: rouse down && rouse up --detach',
	recovery_unknown: 'what there is: rouse host list, rouse recover list',
	worker_missing: 'start what is missing: rouse up --detach. The order may still take effect: rouse recover show',
};

const aboutBatch: Partial<Record<ErrorCode, (name: string) => string>> = {
	batch_unknown: () => 'what there is: rouse batch list',
	name_conflict: name =>
		`look at it: rouse batch show ${name}; start another beside it: --name NAME; or stop it first: rouse batch cancel ${name}`,
	phase_wrong: name => `how it ended: rouse batch show ${name}`,
	worker_missing: name =>
		`start what is missing: rouse up --detach. An order may still take effect: rouse batch show ${name}`,
};

const aboutDrill: Partial<Record<ErrorCode, (name: string) => string>> = {
	drill_unknown: () => 'what there is: rouse drill list',
	name_conflict: name =>
		`look at it: rouse drill watch ${name}; end it and throw its machines away: rouse drill cancel ${name}; start another beside it: --name NAME`,
	phase_wrong: name => `what it has found: rouse drill report ${name}`,
	worker_missing: name =>
		`start what is missing: rouse up --detach. An order may still take effect: rouse drill show ${name}`,
};

/** By the name of its source where that is known. */
const aboutImport: Partial<Record<ErrorCode, (source?: string) => string>> = {
	import_unknown: () => 'what there is: rouse backup status; the first one: rouse backup start SOURCE',
	name_conflict: (source = 'SOURCE') =>
		`follow it: rouse backup watch ${source}; or give it up: rouse backup cancel ${source}`,
	phase_wrong: () => 'how it ended: rouse backup status SOURCE',
	worker_missing: () =>
		'start what is missing: rouse up --detach. An order may still take effect: rouse backup status SOURCE',
};

const aboutRecovery: Partial<Record<ErrorCode, (about: Details) => string | undefined>> = {
	recovery_unknown: () => 'what there is: rouse recover list',
	name_conflict: nameConflict,
	phase_wrong: phaseWrong,
	place_unknown: ({ recovery }) => `${adoptText(recovery)}; if none has, say --again`,
	worker_missing: ({ recovery, missing }) =>
		missing === 'host' ? `${general.worker_missing} ${recovery}; ${lastResortText(recovery)}` : undefined,
	parked: ({ recovery: name, next: order = 'retry', first, code = 'parked' }) =>
		nextText({ order, first }, code, { name }),
};

function nameConflict({ recovery, phase, workflow, removed }: Details): string {
	if (workflow === 'RUNNING')
		return `go on with it: rouse recover show ${recovery}; start another beside it: --name NAME; or throw it and its writes away: ${commandOf('discard', { name: recovery })}, then the same with --again`;
	if (workflow !== 'COMPLETED') return `${adoptText(recovery)}; if not, say --again`;
	return removed || phase === 'discarded' || phase === 'abandoned'
		? 'use the name again with --again, or choose another with --name'
		: `choose another with --name, or remove the machine and say --again: ${removeCommand(recovery)}`;
}

function phaseWrong({ recovery, phase, workflow, order, next }: Details): string | undefined {
	if (next) return commandOf(next, { name: recovery });
	// Only what no workflow takes any more tells of it.
	if (workflow !== undefined && workflow !== 'COMPLETED' && workflow !== 'FAILED')
		return order === 'adopt' && workflow === 'RUNNING'
			? `rouse recover show ${recovery}; one that cannot go on is terminated in Temporal before it is adopted`
			: adoptText(recovery);
	if (order === 'discard' && phase === 'switching')
		return `the machine is yours; to remove it, once it is finished: ${removeCommand(recovery)}`;
	if (order === 'switch' && phase === 'running')
		return `copy its disks first: ${commandOf('migrate', { name: recovery })}`;
	if (phase !== 'finished') return undefined;
	if (order === 'discard') return `the machine is yours; to remove it: ${removeCommand(recovery)}`;
	return order === 'power'
		? `its power: rouse host start ${recovery}, rouse host stop ${recovery}`
		: `the machine is yours: rouse host show ${recovery}`;
}

function removeCommand(name: string): string {
	return `rouse host remove ${name} --confirm ${name}`;
}
