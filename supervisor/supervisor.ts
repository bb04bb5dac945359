import { asRouseError, RouseError } from '../model/errors.ts';
import { refusalText } from '../model/issue-text.ts';
import type { Power, PowerAction } from '../model/recovery.ts';
import { boundLogsEveryMs } from '../system/bounded-log.ts';
import { places } from '../system/installation.ts';
import { RepeatedFailures } from '../system/repeated-failures.ts';
import { Capacity } from './capacity/capacity.ts';
import { Ballast } from './files/ballast.ts';
import { boundLogsOf } from './files/logs.ts';
import { FinishedMachine } from './recovery/finished-machine.ts';
import { FollowedConfig } from './pace/followed-config.ts';
import { Pace } from './pace/pace.ts';
import type { HostParts } from './recovery/host-parts.ts';
import { type StepAnswer, type StepBody, type StepName, stepBodies } from './protocol.ts';
import { reconcileRecovery } from './reconcile/recovery.ts';
import { PinDebts } from './reconcile/pin-debts.ts';
import { Recovery } from './recovery/recovery.ts';
import { overError, Registry } from './recovery/registry.ts';
import { Repositories } from './reconcile/repositories.ts';
import { orderAtHost, powerAtHost } from './steps/power.ts';
import { discard, finalize, mustBeBeforePowerOn, undo, mustBeOfDrill } from './steps/ending.ts';
import type { StepContext } from './recovery/step-context.ts';
import { type OrdinaryStep, ordinarySteps } from './steps/table.ts';
import { holdsAgainst, type Tombstone } from './files/tombstones.ts';

const reconcileEveryMs = 500;
const firstLookMs = 2_000;

type AnyStep = { [S in StepName]: { step: S; body: StepBody<S> } }[StepName];

/** The one that keeps movers and machines of a host as they should be. Its process holds the supervisor's lock. */
export class Supervisor {
	readonly registry: Registry;
	readonly capacity: Capacity;
	readonly pace: Pace;
	readonly #host: HostParts;
	readonly #repositories: Repositories;
	readonly #ballast: Ballast;
	readonly #failures = new RepeatedFailures();
	readonly #pinDebts: PinDebts;
	readonly #ending = new AbortController();
	#loop: Promise<void> | undefined;
	#wake: (() => void) | undefined;

	constructor(host: HostParts) {
		this.#host = host;
		this.registry = new Registry(host);
		const config = new FollowedConfig(host);
		this.pace = new Pace(host, config);
		this.capacity = new Capacity(host, this.registry, this.pace);
		this.#repositories = new Repositories(host, this.registry, config);
		this.#ballast = new Ballast(places.ballast(host.installation.home));
		this.#pinDebts = new PinDebts(host, this.registry);
	}

	/** Reads what is on disk and looks after all of it, from now on. `afterDeath`: the one before was not told to end. */
	async start({ afterDeath = false }: { afterDeath?: boolean } = {}): Promise<void> {
		await this.registry.load();
		if (afterDeath) await Promise.all(this.registry.recoveries().map(recovery => this.#tellOfDeath(recovery)));
		// Before a mover is told anything: one that copies at a limit is not to be let go by a new supervisor.
		await this.#lookAtPace();
		this.#loop = this.#reconcileForEver();
		// Whoever asks first is to see how things are, not how they were never looked at; one that hangs holds up nobody.
		const looks = this.registry.recoveries().map(recovery => this.#reconcile(recovery));
		await Promise.race([Promise.all(looks), this.#host.clock.delay(firstLookMs)]);
	}

	/** A log that cannot be written must not leave the machine without a supervisor. */
	async #tellOfDeath({ incidents, name }: Recovery): Promise<void> {
		try {
			await incidents.add('supervisor_died', 'the supervisor had died; the next one took over what runs');
		} catch (error) {
			this.#host.log.error({ err: error, recovery: name }, 'the death of the last supervisor is not in its incidents');
		}
	}

	/** Movers and machines go on; the next supervisor finds them. */
	async stop(): Promise<void> {
		this.#ending.abort();
		this.#wake?.();
		await this.#loop;
		for (const entry of this.registry.all()) {
			if (entry instanceof Recovery) await entry.queue.stop();
			await entry.close();
		}
	}

	/** One step of a recovery, as it came: docs/architecture.md, "Supervisor". */
	async step(name: string, step: string, body: unknown): Promise<StepAnswer<StepName>> {
		const call = parseStep(step, body);
		const { recoveryId, generation } = call.body;
		const log = this.#host.log.child({ recovery: name, recoveryId, step, generation });
		try {
			if (call.step === 'owe-unpin') return await this.#oweUnpin(call.body);
			const recovery = await this.#recoveryFor(name, call);
			if (!(recovery instanceof Recovery)) return answerOfTombstone(recovery, call);
			const answer = await this.#run(recovery, call);
			this.#wake?.();
			log.info('done');
			return answer;
		} catch (error) {
			// A full host is asked again every few seconds, for as long as it is full.
			log[asRouseError(error).code === 'host_busy' ? 'debug' : 'warn']({ err: error }, 'not done');
			throw error;
		}
	}

	/** Of a recovery whose tombstone would refuse everything else; what may run from its point keeps it pinned. */
	async #oweUnpin({ recoveryId, repository }: StepBody<'owe-unpin'>): Promise<StepAnswer<'owe-unpin'>> {
		if ((await this.#host.tombstones.read(recoveryId)) === undefined)
			throw new RouseError('phase_wrong', `recovery ${recoveryId} has not ended on this host: its pin stays`);
		const since = this.#host.clock.date().toISOString();
		await this.#pinDebts.owedUnpins.add({ repository, recoveryId, since });
		return {};
	}

	/** The recovery the step speaks of, or the tombstone of one that is over. */
	async #recoveryFor(name: string, { step, body }: AnyStep): Promise<Recovery | Tombstone> {
		const found = this.registry.find(name, body.recoveryId);
		if (found) return found;
		const tombstone = await this.#host.tombstones.read(body.recoveryId);
		if (tombstone && holdsAgainst(tombstone, body)) return tombstone;
		if (step === 'reserve') {
			if (body.request) await this.#host.mustBeConfigured(body.request.repository);
			const { limit, lease } = body;
			if (lease === undefined) return this.registry.create(name, body, { limit });
			return this.registry.create(name, body, { lease, mustFit: await this.capacity.mustFit(lease) });
		}
		if (step === 'allocate') {
			await this.#host.mustBeConfigured(body.plan.repository);
			return this.registry.create(name, body);
		}
		if (step === 'discard' || step === 'undo')
			return this.#withBallast(name, () => this.registry.buryUnknown(name, body, isLeaving({ step, body })));
		throw new RouseError('recovery_unknown', `recovery ${name} (${body.recoveryId}) is not on this host`);
	}

	async #run(recovery: Recovery, call: Exclude<AnyStep, { step: 'owe-unpin' }>): Promise<StepAnswer<StepName>> {
		const { step, body } = call;
		if (step === 'incident') {
			// Changes nothing but the log, so it waits for nobody and outranks nobody.
			if (recovery.tombstone) throw overError(recovery.tombstone);
			await recovery.incidents.add(body.kind, body.message);
			return {};
		}
		if (recovery.tombstone && !endsAs(step, recovery.tombstone)) throw overError(recovery.tombstone);
		// Before it has a turn as well: one that is refused must not interrupt what runs.
		if (step === 'undo') mustBeBeforePowerOn(recovery);
		if (call.step === 'discard' && call.body.drill) mustBeOfDrill(recovery, call.body.drill);
		// The end of a recovery is asked for by a generation of its own; what is carried on after its tombstone is not.
		const generation = recovery.tombstone ? Math.max(body.generation, recovery.state.generation) : body.generation;
		return recovery.queue.run(`${step} ${JSON.stringify(body)}`, generation, async signal => {
			const context = { recovery, host: this.#host, signal };
			if (isEnding(step)) {
				if (recovery.tombstone && !endsAs(step, recovery.tombstone)) throw overError(recovery.tombstone);
				if (this.registry.holds(recovery)) {
					// Once more, after what was under way: only now all is known that it was told.
					if (call.step === 'discard' && call.body.drill) mustBeOfDrill(recovery, call.body.drill);
					recovery.raise(body.generation);
					await this.#end(context, step, isLeaving(call));
				}
				return answerOfTombstone(mustBeThere(recovery.tombstone), call);
			}
			if (recovery.tombstone) throw overError(recovery.tombstone);
			recovery.raise(body.generation);
			if (call.step === 'reserve' && call.body.lease) await this.registry.take(recovery, call.body.lease);
			const answer = await ordinary(step)(context, body);
			await recovery.change();
			return answer;
		});
	}

	async #reconcileForEver(): Promise<void> {
		let tidyAt = 0;
		while (!this.#ending.signal.aborted) {
			// First, for what a machine reads as it starts comes from there; but one that hangs holds up nobody.
			const repositories = this.#tryAgain('repository movers could not be looked after', () =>
				this.#repositories.reconcile(),
			);
			await this.#lookAtPace();
			for (const recovery of this.registry.recoveries()) void this.#reconcile(recovery);
			this.#pinDebts.look();
			await repositories;
			if (this.#host.clock.now() >= tidyAt) {
				const { home } = this.#host.installation;
				await this.#tryAgain('logs could not be bounded', () => boundLogsOf(home));
				await this.#tryAgain('the ballast could not be made', () => this.#ballast.keep());
				tidyAt = this.#host.clock.now() + boundLogsEveryMs;
			}
			await this.#rest();
		}
	}

	#lookAtPace(): Promise<void> {
		return this.#tryAgain('the pace of copies could not be looked at', () =>
			this.pace.look(this.registry.recoveries()),
		);
	}

	/** Of the loop: whatever fails, the rest is looked after, and it is tried at the next turn. */
	async #tryAgain(failure: string, work: () => Promise<void>): Promise<void> {
		try {
			await work();
			this.#failures.over(failure);
		} catch (error) {
			this.#failures.failed(failure, error, fields => this.#host.log.error(fields, `${failure}; it is tried again`));
		}
	}

	/** Between the steps; a look that is still under way is not begun again. */
	async #reconcile(recovery: Recovery): Promise<void> {
		try {
			await recovery.queue.background(async signal => {
				if (!this.registry.holds(recovery)) return;
				const context = { recovery, host: this.#host, signal };
				if (recovery.tombstone === undefined) return reconcileRecovery(context);
				await this.#end(context, recovery.tombstone.state === 'finished' ? 'finalize' : 'discard');
			});
			this.#failures.over(recovery.recoveryId);
		} catch (error) {
			const { code } = asRouseError(error);
			if (code === 'generation_stale' || code === 'interrupted') return; // a step came; there is a next look
			this.#failures.failed(recovery.recoveryId, error, fields =>
				this.#host.log.error({ ...fields, recovery: recovery.name }, 'a look at a recovery failed; it is tried again'),
			);
		}
	}

	/** On a full disk the ballast makes the room that an ending needs to be recorded; then it makes room itself. */
	async #withBallast<T>(name: string, work: () => Promise<T>): Promise<T> {
		try {
			return await work();
		} catch (error) {
			if (asRouseError(error).code !== 'space_short' || !(await this.#ballast.giveBack())) throw error;
			this.#host.log.warn({ recovery: name }, 'the ballast was given back to end it');
			return work();
		}
	}

	async #end(context: StepContext, step: Ending, left = false): Promise<void> {
		const work = endings[step];
		await this.#withBallast(context.recovery.name, () => work(context, left));
		this.#failures.over(context.recovery.recoveryId);
		if (context.recovery.repository !== null) this.#pinDebts.late.ended(context.recovery.repository);
		await this.registry.settle(context.recovery);
	}

	async #rest(): Promise<void> {
		const woken = new AbortController();
		this.#wake = () => woken.abort();
		const signal = AbortSignal.any([woken.signal, this.#ending.signal]);
		await this.#host.clock.delay(reconcileEveryMs, signal).catch(() => undefined);
	}

	/** A machine that no workflow will end: a finished one, or that of an abandoned recovery. Else as {@link finished}. */
	withoutWorkflow(name: string): FinishedMachine | Recovery {
		const entry = this.registry.get(name);
		return entry instanceof Recovery && entry.state.abandoned ? entry : this.finished(name);
	}

	/** Power by a person at the host; `phase_wrong` for a recovery that was not powered on yet. */
	async power(name: string, action: PowerAction): Promise<{ power: Power }> {
		const entry = this.registry.get(name);
		if (!(entry instanceof Recovery)) return this.finished(name).power(action);
		const order = orderAtHost(entry, this.#host.clock.date()); // given now, whatever it waits for
		for (let { generation } = entry.state; ; ) {
			try {
				return await entry.queue.run(`power-at-host ${action}`, generation, async signal => {
					if (entry.tombstone) throw overError(entry.tombstone);
					return powerAtHost({ recovery: entry, host: this.#host, signal }, { action, order });
				});
			} catch (error) {
				// A step of the workflow came, which neither knows of this order nor means to take it back.
				const { code, details } = asRouseError(error);
				const newer = code === 'generation_stale' ? details?.['generation'] : undefined;
				if (typeof newer !== 'number' || newer <= generation || entry.tombstone) throw error;
				generation = newer;
			}
		}
	}

	/** A finished machine by name; `phase_wrong` for one that is still recovered, `recovery_unknown` for none. */
	finished(name: string): FinishedMachine {
		const entry = this.registry.get(name);
		if (entry instanceof FinishedMachine) return entry;
		if (entry)
			throw new RouseError('phase_wrong', `${name} is still being recovered`, {
				hint: `its end: rouse recover discard ${name} --confirm ${name}; when its workflow is lost, before that: rouse recover adopt ${name}`,
			});
		throw new RouseError('recovery_unknown', `no machine ${name} on this host`);
	}
}

function parseStep(step: string, body: unknown): AnyStep {
	if (!Object.hasOwn(stepBodies, step)) throw new RouseError('protocol', `no step is called ${step}`);
	const name = step as StepName; // an own key of the table, as was just looked at
	const parsed = stepBodies[name].safeParse(body);
	if (!parsed.success) throw new RouseError('protocol', `${step}: ${refusalText(parsed.error)}`);
	// The body was parsed by that step's own schema; TypeScript does not follow the pair through the table.
	return { step: name, body: parsed.data } as AnyStep;
}

function ordinary(step: OrdinaryStep): (context: StepContext, body: unknown) => Promise<StepAnswer<OrdinaryStep>> {
	// Called with the body that this step's schema parsed.
	return ordinarySteps[step] as (context: StepContext, body: unknown) => Promise<StepAnswer<OrdinaryStep>>;
}

const endings = { finalize, discard, undo } as const;
type Ending = keyof typeof endings;

function isEnding(step: StepName): step is Ending {
	return Object.hasOwn(endings, step);
}

/** The recovery goes on on another host. */
function isLeaving({ step, body }: { step: StepName; body: object }): boolean {
	return step === 'undo' && 'left' in body && body.left === true;
}

function endsAs(step: StepName, { state }: Tombstone): boolean {
	return isEnding(step) && (step === 'finalize') === (state === 'finished');
}

/** Everything is refused, but the same end asked for again. */
function answerOfTombstone(tombstone: Tombstone, { step }: AnyStep): StepAnswer<Ending> {
	if (!endsAs(step, tombstone)) throw overError(tombstone);
	const { incidents, wasHere, afterReport } = tombstone;
	return { incidents, wasHere, ...(tombstone.state === 'finished' ? { afterReport } : {}) };
}

function mustBeThere(tombstone: Tombstone | undefined): Tombstone {
	if (tombstone === undefined) throw new RouseError('internal', 'a recovery ended without its tombstone');
	return tombstone;
}
