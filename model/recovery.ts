import * as z from 'zod';
import { brokerLimits, leaseRequestSchema } from './broker.ts';
import { errorCodes } from './errors.ts';
import { hardwareSchema, platformDataSchema } from './hardware.ts';
import { sizeSchema } from './machine-size.ts';
import { macSchema, machineConfigSchema } from './machine.ts';
import { diskImageSchema, digestSchema } from './chunk.ts';
import { nameSchema, pointTimeSchema } from './names.ts';
import { nextSchema } from './next.ts';
import { readinessSchema, readinessStateSchema } from './readiness.ts';

export const phaseSchema = z.enum([
	'planned',
	'waiting',
	'starting',
	'running',
	'migrating',
	'migrated',
	'switching',
	'finished',
	'discarding',
	'discarded',
	'abandoning',
	'abandoned',
	'failed',
]);
export type Phase = z.infer<typeof phaseSchema>;
export const terminalPhases: readonly Phase[] = ['finished', 'discarded', 'abandoned', 'failed'];

/** `crashed`: the guest stands in a state that only a reset leads out of. */
export const powerSchema = z.enum(['on', 'off', 'paused', 'crashed']);
export type Power = z.infer<typeof powerSchema>;

/** What a guest's disk consists of: `mover` (overlay on the mover), `local` (overlay on the target), `target` (target alone). */
export const chainSchema = z.enum(['mover', 'local', 'target']);
export type Chain = z.infer<typeof chainSchema>;

export const finishSchema = z.enum(['manual', 'migrate']);
export const switchWhenSchema = z.enum(['auto', 'manual']);
export const allocateSchema = z.enum(['start', 'thin']);
export type AllocateWhen = z.infer<typeof allocateSchema>;
export const powerActionSchema = z.enum(['on', 'off', 'shutdown', 'reset']);
export type PowerAction = z.infer<typeof powerActionSchema>;

/** What may be changed while a recovery runs. */
export const policySchema = z.strictObject({
	finish: finishSchema,
	switch: switchWhenSchema,
	/** Bytes per second the migration mover may write; 0 is unlimited. */
	maxRateBytes: z.int().min(0),
});
export type Policy = z.infer<typeof policySchema>;

/** Where a NIC's traffic goes: `none` (link down), or a network of the host's platform by its name there. */
export const networkTargetSchema = z.string().regex(/^[\w .:-]{1,80}$/, 'a network of the host, or "none"');

const portSchema = z.int().min(1).max(65535);

/** A TCP port of the host that leads to one of the guest's, where a NIC's network has no other way to it. */
export const forwardSchema = z.strictObject({
	/** Of the host. */
	address: z.ipv4(),
	port: portSchema,
	guestPort: portSchema,
});
export type Forward = z.infer<typeof forwardSchema>;
const forwardsSchema = z.array(forwardSchema).max(64);

/** A host of a pool. */
const placeSchema = z.strictObject({ host: nameSchema, hostId: z.uuid() });
export type Place = z.infer<typeof placeSchema>;

/** The drill that a recovery belongs to: it is disposable from the start, on a network that leads nowhere. */
export const ofDrillSchema = z.strictObject({ name: nameSchema });
export type OfDrill = z.infer<typeof ofDrillSchema>;

/** What `rouse recover start` asks for, normalised: two requests are the same when these are equal. */
export const recoveryRequestSchema = z.strictObject({
	name: nameSchema,
	machine: nameSchema,
	/** Full time of the point: `latest` and prefixes are resolved before the workflow starts. */
	restorePoint: pointTimeSchema,
	/** Digest of the point's manifest: the point itself, whatever its name. */
	manifestDigest: digestSchema,
	/** Absolute directory of the repository. */
	repository: z.string().min(1),
	host: nameSchema,
	hostId: z.uuid(),
	/** It may run on any of these: `host` is then the one that it was given, and the first of them until then. */
	pool: z.array(placeSchema).min(2).max(brokerLimits.poolHosts).optional(),
	machineName: nameSchema,
	allocate: allocateSchema,
	/** Source network to target; what is not named has its link down. */
	networks: z.record(z.string(), networkTargetSchema),
	/** Absent when there are none: requests of before are the same. */
	forwards: forwardsSchema.optional(),
	/** Absent: as the machine had it. */
	memoryMiB: machineConfigSchema.shape.memoryMiB.optional(),
	cpus: machineConfigSchema.shape.cpus.optional(),
	newMac: z.boolean(),
	/** Wishes to the host's platform, in its own words; it refuses what it does not know. */
	platformOptions: platformDataSchema,
	powerOn: z.boolean(),
	policy: policySchema,
	/** Among those that wait for a place; absent: 3, without a deadline. May be changed while it waits. */
	priority: leaseRequestSchema.shape.priority.optional(),
	deadline: z.iso.datetime().optional(),
	/** Absent: ready when it is powered on. */
	readiness: readinessSchema.optional(),
	/** Absent of every recovery that is meant to stay. */
	drill: ofDrillSchema.optional(),
	reason: z.string().max(500),
	requestedBy: z.string().max(100),
});
export type RecoveryRequest = z.infer<typeof recoveryRequestSchema>;

export const plannedNicSchema = z.strictObject({ mac: macSchema, network: z.string(), target: networkTargetSchema });
export type PlannedNic = z.infer<typeof plannedNicSchema>;

/** The plan: all that the steps on the host need to know. Made once, by the first activity. */
export const recoveryPlanSchema = z.strictObject({
	machineName: nameSchema,
	machine: nameSchema,
	restorePoint: pointTimeSchema,
	manifestDigest: digestSchema,
	repository: z.string(),
	/** As a broker calls it: `repository/NAME/mounts`. Absent in a plan of before. */
	repositoryName: nameSchema.optional(),
	/** With the size that was asked for. */
	config: machineConfigSchema,
	/** What the machine had, where another size was asked for. */
	had: sizeSchema.optional(),
	nics: z.array(plannedNicSchema),
	forwards: forwardsSchema.optional(),
	disks: z.array(diskImageSchema).min(1).max(64),
	platformOptions: platformDataSchema,
	/** What the host's platform chose; null until it was asked. */
	hardware: hardwareSchema.nullable(),
	allocate: allocateSchema,
	/** As in the request. */
	drill: ofDrillSchema.optional(),
	/** What a person should know before they say yes. */
	warnings: z.array(z.string()),
});
export type RecoveryPlan = z.infer<typeof recoveryPlanSchema>;

/** These three are read for what is known of them: they are parts of answers, and an answer may come from a newer version. */
export const parkedSchema = z.object({
	code: z.enum(errorCodes),
	reason: z.string(),
	since: z.iso.datetime(),
	next: nextSchema,
});
export type Parked = z.infer<typeof parkedSchema>;

/** Why the machine or its copy cannot go on without a person, as its host sees it; the workflow parks with it. */
export const blockedSchema = parkedSchema.omit({ since: true });
export type Blocked = z.infer<typeof blockedSchema>;

export const incidentSchema = z.object({
	/** Position in the host's log of this recovery, from 1. */
	sequence: z.int().min(1),
	at: z.iso.datetime(),
	/** A stable word: `mover_died`, `machine_died`, `chunk_bad`, `read_waited`, `attempt_failed`, … */
	kind: z.string(),
	message: z.string(),
	/** How often the same happened in a row; `at` is the first time. */
	count: z.int().min(1),
});
export type Incident = z.infer<typeof incidentSchema>;

export const diskProgressSchema = z.object({
	sizeBytes: z.int().min(0),
	restoredBytes: z.int().min(0),
	/** The target, as the host's platform names it. */
	path: z.string(),
});
export type DiskProgress = z.infer<typeof diskProgressSchema>;

const timingsSchema = z.object({
	requestedAt: z.iso.datetime(),
	runningAt: z.iso.datetime().optional(),
	/** Absent while it is not ready, and for ever when it was not in time. */
	readyAt: z.iso.datetime().optional(),
	migratedAt: z.iso.datetime().optional(),
	finishedAt: z.iso.datetime().optional(),
	/** How long the guest stood still for the switch. */
	switchPauseMs: z.number().min(0).optional(),
});
export type Timings = z.infer<typeof timingsSchema>;

/**
 * What the workflow itself knows; its memo carries the unchanging part of it, its query answers with all. Read for what is
 * known of it: the worker may be newer than whoever asks.
 */
export const recoveryStatusSchema = z.object({
	name: nameSchema,
	recoveryId: z.uuid(),
	machine: nameSchema,
	machineName: nameSchema,
	restorePoint: pointTimeSchema,
	/** Null over a pool, until it has a place. */
	host: nameSchema.nullable(),
	phase: phaseSchema,
	parked: parkedSchema.nullable(),
	power: powerSchema,
	policy: z.object(policySchema.shape),
	generation: z.int().min(0),
	timings: timingsSchema,
	/** Absent in what a workflow of before has said. */
	readiness: readinessStateSchema.optional(),
	incidents: z.array(incidentSchema),
	failure: z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string().optional() }).nullable(),
});
export type RecoveryStatus = z.infer<typeof recoveryStatusSchema>;
