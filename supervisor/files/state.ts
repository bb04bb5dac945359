/** What a host knows of one recovery: the content of state.json, and every way it may change. No I/O. */
import * as z from 'zod';
import { type HeldLease, heldLeaseSchema } from '../../model/broker.ts';
import { errorCodes } from '../../model/errors.ts';
import { nameSchema } from '../../model/names.ts';
import {
	type Chain,
	chainSchema,
	type RecoveryPlan,
	type RecoveryRequest,
	recoveryPlanSchema,
	recoveryRequestSchema,
} from '../../model/recovery.ts';

/** Steps that leave a lasting mark; the others may be done any number of times. */
export const lastingSteps = ['reserve', 'allocate', 'create-machine', 'start-movers', 'snapshot', 'power-on'] as const;
export type LastingStep = (typeof lastingSteps)[number];

/** Why the restore point is not pinned, and since when. */
const unpinnedSchema = z.strictObject({ code: z.enum(errorCodes), reason: z.string(), since: z.iso.datetime() });
type Unpinned = z.infer<typeof unpinnedSchema>;

export const recoveryStateSchema = z.strictObject({
	/** Of this file's format; another one is refused. */
	version: z.literal(1),
	recoveryId: z.uuid(),
	name: nameSchema,
	/** The highest that was ever acted on: requests of a lower one are refused. */
	generation: z.int().min(0),
	/** What was asked for: for a workflow that takes this up when the first one is lost. */
	request: recoveryRequestSchema.nullable(),
	/** What a broker has granted for it; null: it counts as taken by what no lease covers. */
	lease: heldLeaseSchema.nullable().default(null),
	/** Absent between `reserve` and `allocate`. */
	plan: recoveryPlanSchema.nullable(),
	/** Its repository is on another machine: no repository mover of this one serves it, whatever becomes of config.yaml. */
	elsewhere: z.boolean().default(false),
	done: z.array(z.enum(lastingSteps)),
	/** Set while the pin could not be written; null once it stands, and as long as nobody has found out. */
	unpinned: unpinnedSchema.nullable(),
	/** From here on guest writes may exist: nothing but a discard removes them. */
	powerOnScheduled: z.boolean(),
	power: z.strictObject({
		desired: z.enum(['on', 'off']),
		/** False from the wish until it was carried out: a wish is carried on after a crash, an observation is not. */
		settled: z.boolean(),
		/** Boot of the host at which the machine was last started; a machine is not started again after another one. */
		bootId: z.string().nullable(),
	}),
	/** Numbers of the latest orders for power: that was begun, and that was carried out. */
	orders: z.strictObject({ begun: z.int().min(0), done: z.int().min(0) }),
	/** Its workflow has given this host up: its machine is not started by itself. Until a higher generation takes it up. */
	abandoned: z.boolean(),
	restart: z.enum(['on-crash', 'never']),
	/** The last mark of the switch that is durable. */
	chain: chainSchema,
	/** No process may write a target any more, and no migration mover is started. */
	sealed: z.boolean(),
	switch: z.strictObject({
		/** `begun`: the machine may stand between two chains, and may be paused; it is carried on without being asked. */
		stage: z.enum(['none', 'begun', 'done']),
		/** Whether the guest is to run after the pause; null while nobody has decided. */
		resume: z.boolean().nullable(),
		pauseMs: z.number().min(0).nullable(),
	}),
	copy: z.strictObject({
		wanted: z.boolean(),
		/** Wanted, and not to go on before it is ordered anew: nobody holds a migration stream for it. */
		paused: z.boolean().default(false),
		maxRateBytes: z.int().min(0),
	}),
});
export type RecoveryState = z.infer<typeof recoveryStateSchema>;

export function newState(recoveryId: string, name: string, generation: number): RecoveryState {
	return {
		version: 1,
		recoveryId,
		name,
		generation,
		request: null,
		lease: null,
		plan: null,
		elsewhere: false,
		done: [],
		unpinned: null,
		powerOnScheduled: false,
		power: { desired: 'off', settled: true, bootId: null },
		orders: { begun: 0, done: 0 },
		abandoned: false,
		restart: 'on-crash',
		chain: 'mover',
		sealed: false,
		switch: { stage: 'none', resume: null, pauseMs: null },
		copy: { wanted: false, paused: false, maxRateBytes: 0 },
	};
}

export type Change = (state: RecoveryState) => RecoveryState;

export const change = {
	generation:
		(generation: number): Change =>
		state =>
			generation > state.generation ? { ...state, generation, abandoned: false } : state,
	/** Its workflow has given back what it held: whatever runs on is covered by nothing. */
	abandoned: (): Change => state => ({ ...state, abandoned: true, lease: null }),
	done:
		(step: LastingStep): Change =>
		state =>
			state.done.includes(step) ? state : { ...state, done: [...state.done, step] },
	/** The first one counts: a repeat asks for the same. */
	request:
		(request: RecoveryRequest): Change =>
		state => ({ ...state, request: state.request ?? request }),
	/** Of two the later one. */
	lease:
		(lease: HeldLease): Change =>
		state =>
			state.lease === null || lease.token > state.lease.token ? { ...state, lease } : state,
	plan:
		(plan: RecoveryPlan): Change =>
		state => ({ ...state, plan }),
	elsewhere:
		(elsewhere: boolean): Change =>
		state => ({ ...state, elsewhere }),
	unpinned:
		(unpinned: Unpinned | null): Change =>
		state => ({ ...state, unpinned }),
	/** The point of no return: durable before the machine is started for the first time. */
	powerOnScheduled: (): Change => state => ({ ...state, powerOnScheduled: true }),
	powerWanted:
		(desired: 'on' | 'off', bootId: string): Change =>
		state => ({
			...state,
			power: { desired, settled: false, bootId: desired === 'on' ? bootId : state.power.bootId },
		}),
	powerSettled: (): Change => state => ({ ...state, power: { ...state.power, settled: true } }),
	orderBegun:
		(order: number): Change =>
		state => ({ ...state, orders: { ...state.orders, begun: order } }),
	orderDone:
		(order: number): Change =>
		state => ({ ...state, orders: { ...state.orders, done: order } }),
	/** The guest did it itself, or nobody may undo it by himself. */
	powerFound:
		(desired: 'on' | 'off'): Change =>
		state => ({ ...state, power: { ...state.power, desired, settled: true } }),
	sealed:
		(sealed: boolean): Change =>
		state => {
			if (!sealed && state.switch.stage !== 'none') throw new Error('a seal holds once the switch has begun');
			return { ...state, sealed };
		},
	switchBegun: (): Change => state => {
		if (!state.sealed) throw new Error('no switch without the seal');
		return state.switch.stage === 'none' ? { ...state, switch: { ...state.switch, stage: 'begun' } } : state;
	},
	resume:
		(resume: boolean): Change =>
		state => ({ ...state, switch: { ...state.switch, resume } }),
	chain:
		(chain: Chain): Change =>
		state => {
			const order: readonly Chain[] = ['mover', 'local', 'target'];
			if (order.indexOf(chain) < order.indexOf(state.chain))
				throw new Error(`the chain does not go back from ${state.chain} to ${chain}`);
			return { ...state, chain };
		},
	switchDone:
		(pauseMs: number): Change =>
		state => {
			if (state.chain !== 'target') throw new Error(`a switch that is done leaves chain target, not ${state.chain}`);
			return { ...state, switch: { ...state.switch, stage: 'done', pauseMs } };
		},
	copy:
		(maxRateBytes: number): Change =>
		state => ({ ...state, copy: { wanted: true, paused: false, maxRateBytes } }),
	/** One that was never ordered is none to be paused. */
	copyPaused: (): Change => state => ({ ...state, copy: { ...state.copy, paused: state.copy.wanted } }),
};

/** What of movers must run in this state. */
export function moversWanted(state: RecoveryState): { mount: boolean; migration: boolean; repository: boolean } {
	const active = state.plan !== null;
	const mount = active && state.done.includes('start-movers') && state.chain === 'mover';
	const migration = active && state.powerOnScheduled && !state.sealed;
	return { mount, migration, repository: (mount || migration) && !state.elsewhere };
}

/** The first steps come in one order; those a step stands on, that are not done. */
export function missingBefore(state: RecoveryState, step: LastingStep): LastingStep[] {
	return lastingSteps.slice(1, lastingSteps.indexOf(step)).filter(earlier => !state.done.includes(earlier));
}
