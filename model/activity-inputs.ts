/**
 * What the activities of a recovery are given, by their names: workers check it before anything is done (whoever reaches
 * Temporal can schedule an activity), and the activities' types come from here. Not for the workflows, whose bundle has no
 * use for it: of it they import types. Histories keep what was given, so a field may be added only where it may be absent.
 */
import * as z from 'zod';
import { batchLimits } from './batch.ts';
import {
	brokerLimits,
	grantSchema,
	heldLeaseSchema,
	holderSchema,
	leaseRequestSchema,
	releaseSchema,
} from './broker.ts';
import { digestSchema } from './chunk.ts';
import { drillLimits, drillPlanSchema, drillTestSchema } from './drill.ts';
import { drillReportSchema, machineFindingsSchema, machineOutcomeSchema } from './drill-report.ts';
import { errorCodes } from './errors.ts';
import { hostQuestionSchema } from './host-question.ts';
import { nameSchema, pointTimeSchema } from './names.ts';
import { readinessSchema } from './readiness.ts';
import {
	ofDrillSchema,
	policySchema,
	powerActionSchema,
	recoveryPlanSchema,
	recoveryRequestSchema,
} from './recovery.ts';

/** Every activity on a host gets this: the host it is meant for, and what the supervisor fences by. */
const hostStepSchema = z.strictObject({
	hostId: z.uuid(),
	name: nameSchema,
	recoveryId: z.uuid(),
	generation: z.int().min(0),
});
export type HostStepInput = z.infer<typeof hostStepSchema>;

const pinSchema = z.strictObject({
	repository: z.string().min(1),
	machine: nameSchema,
	restorePoint: pointTimeSchema,
	manifestDigest: digestSchema,
	recoveryId: z.uuid(),
	/** Name of the recovery. */
	recovery: nameSchema,
	/** Name of the host that is to read the point. */
	host: nameSchema.optional(),
});

const drilledSchema = z.strictObject({ drill: nameSchema, name: nameSchema });
const reportNameSchema = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}Z$/);

const itemSchema = z.strictObject({ name: nameSchema, requestHash: digestSchema });
const itemsSchema = z.array(itemSchema).max(batchLimits.asked);

export const activityInputs = {
	plan: z.strictObject({ request: recoveryRequestSchema }),
	pin: pinSchema,
	/** Of the pin that was set, or was to be. */
	unpin: pinSchema,
	/** `lease`: what a broker has granted for it, which the host keeps and reports as long as the recovery is not over there. */
	reserve: hostStepSchema.extend({ request: recoveryRequestSchema.optional(), lease: heldLeaseSchema.optional() }),
	chooseHardware: hostStepSchema.extend({ plan: recoveryPlanSchema }),
	allocate: hostStepSchema.extend({ plan: recoveryPlanSchema }),
	createMachine: hostStepSchema,
	startMovers: hostStepSchema,
	snapshot: hostStepSchema,
	powerOn: hostStepSchema.extend({ on: z.boolean() }),
	migrateChunks: hostStepSchema.extend({ maxRateBytes: policySchema.shape.maxRateBytes }),
	pauseMigration: hostStepSchema,
	switchToTarget: hostStepSchema,
	finalize: hostStepSchema,
	/** `drill`: of which it is, and why nobody had to confirm it. */
	discard: hostStepSchema.extend({ drill: ofDrillSchema.optional() }),
	/** `left`: the recovery goes on on another host of its pool. */
	undo: hostStepSchema.extend({ left: z.boolean().optional() }),
	/** `order` is the higher, the later it was given. */
	power: hostStepSchema.extend({ action: powerActionSchema, order: z.int().min(1).optional() }),
	retry: hostStepSchema,
	answer: hostStepSchema,
	/** `forwarded`: the port is one that the host hands on, and takes connections to whether the guest does or not. */
	checkReadiness: hostStepSchema.extend({ ...readinessSchema.shape, forwarded: z.boolean() }),
	keepFirstReads: hostStepSchema,
	selftest: z.strictObject({ hostId: z.uuid(), long: z.boolean() }),
	askHost: z.strictObject({ hostId: z.uuid(), question: hostQuestionSchema }),
	unpinned: hostStepSchema.extend({ code: z.enum(errorCodes), reason: z.string() }),
	/**
	 * `again`: what was discarded, abandoned or removed is no hindrance; said of an item by name, neither is one that may have
	 * its machine without knowing.
	 */
	prepareItems: z.strictObject({
		items: z.array(itemSchema.extend({ again: z.literal(true).optional() })).max(batchLimits.asked),
		again: z.boolean(),
	}),
	lookAtItems: z.strictObject({ items: itemsSchema }),
	orderItems: z.strictObject({
		order: z.enum(['retry', 'discard']),
		by: z.string().max(100),
		reason: z.string().max(500).optional(),
		/** What it has not started itself is discarded only by name. */
		batch: nameSchema,
		/** No other recovery of these names is meant; null: known by its request alone. `own`: one that the batch has started. */
		items: z.array(itemSchema.extend({ recoveryId: z.uuid().nullable(), own: z.boolean() })).max(batchLimits.ordered),
	}),
	oweUnpin: hostStepSchema.extend({ repository: z.string().min(1) }),
	/** Each as it stands in a lease's request. */
	leasesGone: z.strictObject({
		hostId: z.uuid(),
		requestIds: z.array(releaseSchema.shape.requestId).max(brokerLimits.leases),
	}),
	/** Of a drill's recovery. */
	findDrilled: drilledSchema.extend({ recoveryId: z.uuid() }),
	planScheduledDrill: z.strictObject({
		name: nameSchema,
		file: z.string().max(1024 * 1024),
		requestedBy: z.string().max(100),
	}),
	keepFindings: drilledSchema.extend({ report: reportNameSchema, findings: machineFindingsSchema }),
	writeDrillReport: z.strictObject({
		...drillReportSchema.omit({ version: true, passed: true, machines: true }).shape,
		directory: reportNameSchema,
		keep: drillPlanSchema.shape.keep,
		machines: z.array(machineOutcomeSchema).max(drillLimits.machines),
	}),
	runTest: hostStepSchema.extend({ test: drillTestSchema }),
	lookAtMachine: hostStepSchema,
	askBroker: z.strictObject({ request: leaseRequestSchema }),
	heldLeases: z.strictObject({}),
	closedHolders: z.strictObject({ holders: z.array(holderSchema) }),
	deliverGrants: z.strictObject({ grants: z.array(grantSchema).max(brokerLimits.delivered) }),
} as const;
export type ActivityInput<A extends keyof typeof activityInputs> = z.infer<(typeof activityInputs)[A]>;
