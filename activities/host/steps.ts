/**
 * The steps of a host that its supervisor carries out while the activity waits. Their names here are those of the
 * supervisor's steps (supervisor/protocol.ts) in another spelling, and the workflow's own names for them.
 */
import type { ActivityInput, HostStepInput } from '../../model/activity-inputs.ts';
import type { StepAnswer, StepBody, StepCall, StepName } from '../../supervisor/protocol.ts';
import { untilMended } from '../failures.ts';
import { type HostDependencies, hostAttempt } from '../host-attempt.ts';

interface HostStep<S extends StepName, Input extends object, Output> {
	step: S;
	/** What of the input the supervisor gets. */
	body: (call: StepCall, input: Input) => StepBody<S>;
	/** What of its answer the workflow gets, and nothing else: what a newer supervisor adds is not for this history. */
	answer: (answer: StepAnswer<S>) => Output;
	/** For the call, where the supervisor client's own limit is not right. */
	timeoutMs?: number;
	/** Tried again also while a person has to mend something first: others wait for what it gives back. */
	untilMended?: true;
}

/** Below the 12 hours that an attempt has: the supervisor goes on by itself, and the next attempt finds it done. */
const switchTimeoutMs = 11 * 60 * 60_000;

/** Below the time an attempt has, so that the supervisor's silence has its own code. */
const powerTimeoutMs = 12_000;

/** Below the time an attempt has: the mount mover is asked and a file is written. */
const keepTimeoutMs = 12_000;

const nothingMore = (call: StepCall): StepCall => call;
const done = (): void => undefined;

export function hostSteps(host: HostDependencies) {
	const activity = <S extends StepName, Input extends object, Output>(how: HostStep<S, Input, Output>) =>
		hostAttempt(host, async (input: HostStepInput & Input, call, { signal }): Promise<Output> => {
			const body = how.body(call, input);
			const asked = host.supervisor.step(input.name, how.step, body, { signal, timeoutMs: how.timeoutMs });
			return how.answer(await (how.untilMended ? asked.catch(mended) : asked));
		});

	const mended = (error: unknown): never => {
		throw untilMended(error);
	};

	return {
		/** A place among the host's recoveries; `host_busy`, to be tried again, while there is none. */
		reserve: activity({
			step: 'reserve',
			body: (call, { request, lease }: ActivityInput<'reserve'>) => ({
				...call,
				limit: host.recoveries,
				request,
				lease,
			}),
			answer: done,
		}),
		/** The plan, targets, restored maps. */
		allocate: activity({
			step: 'allocate',
			body: (call, { plan }: ActivityInput<'allocate'>) => ({ ...call, plan }),
			answer: done,
		}),
		/** The dummy machine, powered off. */
		createMachine: activity({ step: 'create-machine', body: nothingMore, answer: done }),
		/** Returns when every disk of the restore point can be read on the host. */
		startMovers: activity({ step: 'start-movers', body: nothingMore, answer: done }),
		/** The protective snapshot: from here on guest writes have a place of their own. */
		snapshot: activity({ step: 'snapshot', body: nothingMore, answer: done }),
		/** The host remembers that power-on was scheduled before anything starts; without `on` that is all. */
		powerOn: activity({
			step: 'power-on',
			body: (call, { on }: ActivityInput<'powerOn'>) => ({ ...call, on }),
			answer: done,
		}),
		/** Nothing is copied any more when it returns, until the next slice. */
		pauseMigration: activity({ step: 'pause-migration', body: nothingMore, answer: done, untilMended: true }),
		/** Seal, switch, commit: returns when the machine stands on its target alone, with how long the guest stood still. */
		switchToTarget: activity({
			step: 'switch-to-target',
			body: nothingMore,
			answer: ({ pauseMs }) => ({ pauseMs }),
			timeoutMs: switchTimeoutMs,
		}),
		/** Only the machine stays. Answers with all incidents: what the workflow was told by signals may have grown since. */
		finalize: activity({
			step: 'finalize',
			body: nothingMore,
			answer: ({ incidents, afterReport }) => ({ incidents, ...(afterReport === undefined ? {} : { afterReport }) }),
		}),
		/** As a person has confirmed it, or for its drill: machine, guest writes and all else of this recovery are removed. */
		discard: activity({
			step: 'discard',
			body: (call, { drill }: ActivityInput<'discard'>) => ({ ...call, ...(drill ? { drill } : {}) }),
			answer: ({ incidents, wasHere }) => ({ incidents, wasHere }),
		}),
		/** As nobody has ordered it: refused with `power_on_scheduled` once there may be guest writes. */
		undo: activity({
			step: 'undo',
			body: (call, { left }: ActivityInput<'undo'>) => ({ ...call, left }),
			answer: ({ wasHere }) => ({ wasHere }),
		}),
		/** Power as a person asks for it. */
		power: activity({
			step: 'power',
			body: (call, { action, order }: ActivityInput<'power'>) => ({ ...call, action, order }),
			answer: ({ power }) => ({ power }),
			timeoutMs: powerTimeoutMs,
		}),
		/** What the machine of a drill has read until it was ready is remembered on the host. */
		keepFirstReads: activity({
			step: 'keep-first-reads',
			body: nothingMore,
			answer: ({ chunks }) => ({ chunks }),
			timeoutMs: keepTimeoutMs,
		}),
		/** The recovery goes on without its pin; the host keeps that, and tries to set it. */
		unpinned: activity({
			step: 'unpinned',
			body: (call, { code, reason }: ActivityInput<'unpinned'>) => ({ ...call, code, reason }),
			answer: done,
		}),
		/** The host takes the pin away when the repository is back. */
		oweUnpin: activity({
			step: 'owe-unpin',
			body: (call, { repository }: ActivityInput<'oweUnpin'>) => ({ ...call, repository }),
			answer: done,
		}),
		/** After a repair: what the host has given up is tried again, and a guest that stands still goes on. */
		retry: activity({ step: 'retry', body: nothingMore, answer: done }),
	};
}
