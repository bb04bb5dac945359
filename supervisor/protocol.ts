/** What is said over the supervisor's socket: docs/architecture.md, "Supervisor". */
import * as z from 'zod';
import { brokerLimits, capacityReportSchema, heldLeaseSchema, releaseSchema } from '../model/broker.ts';
import { errorCodes } from '../model/errors.ts';
import { firmwareSchema } from '../model/machine.ts';
import { nameSchema } from '../model/names.ts';
import {
	blockedSchema,
	chainSchema,
	diskProgressSchema,
	forwardSchema,
	incidentSchema,
	ofDrillSchema,
	plannedNicSchema,
	powerActionSchema,
	powerSchema,
	recoveryPlanSchema,
	recoveryRequestSchema,
} from '../model/recovery.ts';
import { mountMoverStateSchema } from '../movers/config.ts';

/**
 * What both sides must speak. Raised when an older side would misunderstand a newer one; a field more is no reason, since
 * answers are read for what is known of them, while requests with anything unknown are refused.
 */
export const protocolVersion = 1;

/** Who asks: a lower generation than the recovery's is refused with `generation_stale`. */
const stepCallSchema = z.strictObject({ recoveryId: z.uuid(), generation: z.int().min(0) });
export type StepCall = z.infer<typeof stepCallSchema>;

/** `POST /recoveries/NAME/STEP`, one after the other for one recovery; each may be repeated at will. */
export const stepBodies = {
	/** Counts the recovery against the host's limit; `host_busy` while it is full. The request is kept for an adoption. */
	reserve: stepCallSchema.extend({
		limit: z.int().min(1),
		request: recoveryRequestSchema.optional(),
		/** What a broker has granted for it: kept, and reported as held until the recovery is over here. */
		lease: heldLeaseSchema.optional(),
	}),
	/** Directory, state.json, targets. */
	allocate: stepCallSchema.extend({ plan: recoveryPlanSchema }),
	/** The dummy machine, powered off: firmware variables, definition. */
	'create-machine': stepCallSchema,
	/** Repository mover and mount mover; returns when every disk can be read on the host. */
	'start-movers': stepCallSchema,
	/** Overlays: the protective snapshot. */
	snapshot: stepCallSchema,
	/** The durable "power-on was scheduled" and then, when `on`, the machine itself; starts the migration mover. */
	'power-on': stepCallSchema.extend({ on: z.boolean() }),
	/** Tells the migration mover to copy all that is missing, at this rate, also while it copies; returns at once. */
	'migrate-chunks': stepCallSchema.extend({ maxRateBytes: z.int().min(0) }),
	/**
	 * Returns when nothing is copied any more; `migrate-chunks` goes on. What the guest reads is still kept on its target. Lasts
	 * over deaths of mover and supervisor.
	 */
	'pause-migration': stepCallSchema,
	/** Seal, switch, commit; returns when the machine stands on its target alone. */
	'switch-to-target': stepCallSchema,
	/** Tombstone; movers gone; only the machine stays. */
	finalize: stepCallSchema,
	/**
	 * The discard that a person has confirmed: machine, writes and all else are removed; a tombstone stays. With `drill`
	 * nobody has confirmed it: `identity_conflict`, and nothing is touched, unless the recovery here is that drill's.
	 */
	discard: stepCallSchema.extend({ drill: ofDrillSchema.optional() }),
	/**
	 * The same, as nobody has ordered it: `power_on_scheduled`, and nothing is touched, once there may be guest writes. `left`:
	 * the recovery goes on on another host, and may come back under a higher generation.
	 */
	undo: stepCallSchema.extend({ left: z.boolean().optional() }),
	/**
	 * Power of the machine, as a person asks for it. Orders are numbered by the time in milliseconds at which they were
	 * given: one that comes after a later one is refused with `generation_stale`, and one that was carried out is not carried
	 * out again.
	 */
	power: stepCallSchema.extend({ action: powerActionSchema, order: z.int().min(1).optional() }),
	/** After a repair: bad chunks are asked for again and a guest that was paused by a read error goes on. */
	retry: stepCallSchema,
	/** The host worker has seen that the recovery's workflow is open: its machine may be started after a boot of the host. */
	'confirm-open': stepCallSchema,
	/** Its workflow was closed as abandoned: nobody starts its machine any more until a later generation takes it up. */
	abandon: stepCallSchema,
	/** Of a drill whose machine is ready: what it has read until then is fetched first at its next recovery on this host. */
	'keep-first-reads': stepCallSchema,
	/** The restore point could not be pinned: the host keeps that, and tries until it can or the recovery ends. */
	unpinned: stepCallSchema.extend({ code: z.enum(errorCodes), reason: z.string() }),
	/** Of a recovery that is over, or was never here: takes its pin away when the repository is back. */
	'owe-unpin': stepCallSchema.extend({ repository: z.string().min(1) }),
	/** An incident that the host worker saw (a failed attempt of a step). */
	incident: stepCallSchema.extend({ kind: z.string(), message: z.string() }),
} as const;
export type StepName = keyof typeof stepBodies;

const nothingMore = z.object({});
/** How it ended: the coalesced incidents, so that they outlive the host's log. */
const endedSchema = z.object({ incidents: z.array(incidentSchema) });
/** `wasHere`: the host has had it; false of one that it never heard of. */
const removedSchema = endedSchema.extend({ wasHere: z.boolean() });

/** What a step answers with; a repeat answers the same. */
export const stepAnswers = {
	reserve: nothingMore,
	allocate: nothingMore,
	'create-machine': nothingMore,
	'start-movers': nothingMore,
	snapshot: nothingMore,
	'power-on': nothingMore,
	'migrate-chunks': nothingMore,
	'pause-migration': nothingMore,
	/** How long the guest stood still; 0 for a machine that was off. */
	'switch-to-target': z.object({ pauseMs: z.number().min(0) }),
	/** `afterReport`: number of the last capacity report that does not count the machine among what no lease covers. */
	finalize: endedSchema.extend({ afterReport: z.int().min(0).optional() }),
	discard: removedSchema,
	undo: removedSchema,
	power: z.object({ power: powerSchema }),
	retry: nothingMore,
	'confirm-open': nothingMore,
	/** How many chunks are remembered; 0: what it has read is not known, and what was remembered before stays. */
	'keep-first-reads': z.object({ chunks: z.int().min(0) }),
	abandon: nothingMore,
	unpinned: nothingMore,
	'owe-unpin': nothingMore,
	incident: nothingMore,
} as const satisfies Record<StepName, z.ZodType>;
export type StepBody<S extends StepName> = z.input<(typeof stepBodies)[S]>;
export type StepAnswer<S extends StepName> = z.output<(typeof stepAnswers)[S]>;

export const recoveryViewSchema = z.object({
	name: nameSchema,
	recoveryId: z.uuid(),
	machineName: nameSchema,
	generation: z.int().min(0),
	/** `active` while a workflow owns it, `abandoned` when that one gave it up; `finished` and `discarded` are tombstones. */
	state: z.enum(['active', 'abandoned', 'finished', 'discarded']),
	/** Steps that are durable: what a repeat finds done. */
	done: z.array(z.string()),
	chain: chainSchema,
	sealed: z.boolean(),
	power: powerSchema,
	blocked: blockedSchema.nullable(),
	disks: z.array(diskProgressSchema),
	/** Where its network cards lead; none before there is a plan. */
	nics: z.array(z.object(plannedNicSchema.shape)).default([]),
	/** All disks are restored to the last chunk. */
	restored: z.boolean(),
	copying: z.boolean(),
	/** What holds its copy back. `bytesPerSecond`: of its disks; of a repository all that is read there, as it lies there. */
	copyLimits: z
		.array(
			z.object({
				code: z.enum(['latency', 'host', 'repository', 'request']),
				bytesPerSecond: z.int().min(0),
				reason: z.string(),
			}),
		)
		.default([]),
	movers: z.array(
		z.object({ kind: z.enum(['mount', 'migration', 'repository']), alive: z.boolean(), pid: z.int().nullable() }),
	),
	switchPauseMs: z.number().nullable(),
	/** How far its mount mover is with what it fetches first; null when there is none, or nothing of that kind. */
	firstReads: mountMoverStateSchema.shape.firstReads.unwrap().nullable().default(null),
	/** Why the restore point is not pinned. */
	unpinned: z.object({ code: z.enum(errorCodes), reason: z.string(), since: z.iso.datetime() }).nullable(),
	/** What it waits for at present, and goes on by itself when that is back. */
	stalled: z
		.object({ code: z.enum(errorCodes), reason: z.string(), since: z.iso.datetime() })
		.nullable()
		.default(null),
	/** The last durable mark of the switch, and what is wanted; null from a supervisor that does not tell. */
	switchStage: z.enum(['none', 'begun', 'done']).nullable().default(null),
	powerDesired: z.enum(['on', 'off']).nullable().default(null),
	/** Number of the latest order for power that has begun. */
	powerOrder: z.int().min(0).default(0),
	/** The drill that it belongs to: it is disposable. */
	drill: z.object({ name: nameSchema }).nullable().default(null),
	/** Ports of the host that lead to its guest's. */
	forwards: z.array(forwardSchema).default([]),
	/** What its mount mover has read from the repository since that was started, as it is stored; null when it does not tell. */
	readBytes: z.int().min(0).nullable().default(null),
	/** Directory of its sockets. */
	runDirectory: z.string().nullable().default(null),
	/** Names and places of the platform's own, for a person who looks into it. */
	platform: z.record(z.string(), z.string()),
	directory: z.string(),
	/** Highest sequence in the incident log. */
	incidents: z.int().min(0),
});
export type RecoveryView = z.infer<typeof recoveryViewSchema>;

/** `GET /recoveries` */
export const recoveryListSchema = z.object({ recoveries: z.array(recoveryViewSchema) });

/** `GET /recoveries/NAME/adoption`: model/adoption.ts */

/** `GET /recoveries/NAME/agent`: whether the agent in the guest answers, and why not. */
export const agentViewSchema = z.object({ answers: z.boolean(), reason: z.string().nullable() });
export type AgentView = z.infer<typeof agentViewSchema>;

/**
 * `POST /recoveries/NAME/agent`: runs a program in the guest of a drill's machine, by its agent; `identity_conflict` for any
 * other machine.
 */
export const agentRunSchema = z.strictObject({
	recoveryId: z.uuid(),
	command: z.array(z.string().max(1_000)).min(1).max(32),
	timeoutMs: z.int().min(1_000).max(3_600_000),
});
/** `output`: of both streams, its end. */
export const agentRanSchema = z.object({ exitCode: z.int(), output: z.string() });
export type AgentRan = z.infer<typeof agentRanSchema>;

/** `GET /recoveries/NAME/screenshot`: what its screen shows, as PNG in base64, or why there is none. */
export const screenshotSchema = z.object({ png: z.base64().nullable(), reason: z.string().nullable() });
export type ScreenshotView = z.infer<typeof screenshotSchema>;

/** `GET /recoveries/NAME/incidents?after=N` */
export const incidentListSchema = z.object({ incidents: z.array(incidentSchema) });

/** `GET /host` */
export const hostViewSchema = z.object({
	hostId: z.uuid(),
	name: nameSchema,
	pid: z.int(),
	protocol: z.int(),
	/** Kind of the platform: `host.kind` of config.yaml. */
	platform: z.string(),
	/** Name and version of what runs machines. */
	hypervisor: z.string(),
	/** How guests' instructions are run, in the platform's own word. */
	accelerator: z.string(),
	firmwares: z.array(firmwareSchema),
	/** Where a NIC may lead, beside `none`. */
	networks: z.array(z.object({ name: z.string(), description: z.string() })),
	/** Why a kind of them is not among these, where something stands in its way. */
	networksMissing: z.string().optional(),
	/** Why one that somebody may well ask for is not among these, and what is there instead, by its name. */
	networksInstead: z.record(z.string(), z.string()).optional(),
	freeBytes: z.int().min(0),
	/** How slow the datastore is; null where nobody sees it, and with `latency: off`. */
	datastore: z
		.object({
			source: z.string(),
			latencyMs: z.number().nullable(),
			stopsNew: z.string().nullable(),
			copyBytesPerSecond: z.int().nullable(),
		})
		.nullable()
		.default(null),
	memory: z.object({ totalMiB: z.int().min(0), freeMiB: z.int().min(0) }),
	warnings: z.array(z.string()),
	/** Set when the host cannot start machines at all. */
	unusable: z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string() }).nullable(),
});
export type HostView = z.infer<typeof hostViewSchema>;

/** `GET /capacity`: with a number above all before it. Read for what is known of it. */
export const capacitySchema = z.object(capacityReportSchema.shape);

/** `POST /leases/gone`: of these requests' leases, those of which nothing runs here; `reserve` refuses them from then on. */
export const leasesGoneSchema = z.strictObject({
	requestIds: z.array(releaseSchema.shape.requestId).max(brokerLimits.leases),
});
export const leasesGoneAnswerSchema = z.object({ gone: z.array(releaseSchema.shape.requestId) });

/** `GET /consoles/NAME/KIND` with `Upgrade: console`: the machine's console, as bytes in both directions. */
export const consoleKinds = ['serial', 'screen'] as const;
export type ConsoleKind = (typeof consoleKinds)[number];
export const consoleUpgrade = 'console';

/**
 * `POST /machines/NAME/power {action}`: a machine, finished or of a recovery that was powered on, by the supervisor alone;
 * `DELETE /machines/NAME`: a finished or abandoned one.
 */
export const machinePowerSchema = z.strictObject({ action: powerActionSchema });
export const machinePowerAnswerSchema = z.object({ power: powerSchema });
/** With an id, only the machine of that recovery is removed: else `identity_conflict`. */
export const machineRemoveSchema = z.strictObject({ recoveryId: z.uuid().optional() }).prefault({});
