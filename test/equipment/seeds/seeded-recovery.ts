import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import type { MannerName } from '../../../hypervisors/simulated/host.ts';
import type { PowerAction, RecoveryRequest, RecoveryStatus } from '../../../model/recovery.ts';
import { OwedUnpins } from '../../../supervisor/files/owed-unpins.ts';
import { places } from '../../../system/installation.ts';
import { waitFor } from '../../../system/wait.ts';
import { forwardOnce, type Workflows } from '../../../workers/forwarder.ts';
import { Reports } from '../../../workers/reports.ts';
import { contentOf } from '../simulated-bench.ts';
import type { Sandbox, SandboxRun, Scheduled } from '../sandbox.ts';
import { type Death, prepare } from './deaths.ts';
import { fastClock, setClock } from './fast-clock.ts';
import { failureOf } from './lasting-failure.ts';
import { OrderedPower } from './ordered-power.ts';
import type { Random } from './random.ts';
import { asks, SeededBroker } from './seeded-broker.ts';
import { SeededGuest } from './seeded-guest.ts';
import { SeededHost } from './seeded-host.ts';
import { isPinned } from './seeded-repositories.ts';
import { seededWorkers } from './seeded-workers.ts';
import { WorkflowRuns } from './workflow-runs.ts';

export interface SeededMachine {
	request: RecoveryRequest;
	/** What its one disk holds in the restore point. */
	base: Buffer;
}

export interface SeedOptions {
	/** The history of the workflow loses its end now and then, also when it was over, while the host stays as it is. */
	cutBacks?: boolean;
	/** Nothing happens but this. */
	death?: Death;
	/** It asks a broker. */
	broker?: boolean;
	like?: MannerName;
}

const asked = { by: 'seed' };

/** How often the world does something, in its own time. */
const tickMs = 240;
/** After so many ticks nothing fails any more. */
const calmAfter = 30;
/** And after so many more everything must have come to its end. */
const endsWithin = 1_000;

/**
 * One recovery, its workflow in the sandbox and its host simulated, through whatever the seed brings: deaths of supervisor,
 * movers, machine and host, reads that wait, a full disk, a clock that is set, orders of people, continue-as-new. Then all
 * is calm, and it must end well.
 */
export class SeededRecovery {
	readonly #random: Random;
	readonly #host: SeededHost;
	readonly #request: RecoveryRequest;
	readonly #guest: SeededGuest;
	readonly #perform: (activity: Scheduled) => Promise<unknown>;
	readonly #broker: SeededBroker | undefined;
	#reports = new Reports();
	readonly #underWay = new Set<number>();
	readonly #runs: WorkflowRuns;
	readonly #cutBacks: boolean;
	readonly #death: Death | undefined;
	/** So often it is begun again from the middle after it was over. */
	#again: number;
	/** A discard was accepted: the machine and its writes may go. */
	#discardConfirmed = false;
	readonly #lastFailures = new Map<number, string>();
	#over = false;
	/** It was cancelled as it copied: somebody else may have its stream then, and it must not copy on. */
	#parkedInCopy = false;
	readonly #power = new OrderedPower();
	readonly told: string[] = [];

	private constructor(runs: WorkflowRuns, host: SeededHost, machine: SeededMachine, random: Random, how: SeedOptions) {
		this.#runs = runs;
		this.#cutBacks = how.cutBacks ?? false;
		this.#death = how.death;
		this.#again = this.#cutBacks ? random.below(3) : 0;
		this.#host = host;
		this.#random = random;
		this.#request = machine.request;
		this.#guest = new SeededGuest(machine.base, random);
		this.#perform = seededWorkers(host, machine.request.hostId);
		this.#broker = how.broker ? new SeededBroker(random) : undefined;
	}

	static async begin(
		sandbox: Sandbox,
		machine: SeededMachine,
		random: Random,
		how: SeedOptions = {},
	): Promise<SeededRecovery> {
		const host = await SeededHost.create(how.like ?? (random.chance(0.5) ? 'process' : 'service'), random);
		const input = { requestHash: 'c'.repeat(64), ...asks(machine, how) };
		const runs = await WorkflowRuns.begin(sandbox, input);
		return new SeededRecovery(runs, host, machine, random, how);
	}

	/** To its end; throws when it does not end, or ends wrong. */
	async live(): Promise<void> {
		try {
			if (this.#death) this.#await(this.#death);
			else this.#host.deadliness = this.#random.pick([0, 0.02, 0.08]);
			for (let tick = this.#death ? calmAfter : 0; !this.#runs.ended || (await this.#beginAgain()); tick++) {
				if (this.#runs.wrong !== undefined) throw this.#runs.wrong;
				assert.ok(tick < calmAfter + endsWithin, `it does not end: ${await this.#whatStands()}`);
				if (tick === calmAfter) this.#calm();
				if (tick < calmAfter) await this.#trouble();
				else await this.#help(tick);
				await this.#look();
				if (this.#cutBacks) await this.#checkPin();
				await fastClock.delay(tickMs);
			}
			await this.#check();
		} catch (error) {
			throw new Error(`${String(error)}\n  what happened: ${this.told.join(', ')}`, { cause: error });
		} finally {
			this.#over = true;
			await this.#host.dispose();
			await this.#runs.dispose();
		}
	}

	#await(death: Death): void {
		prepare(death, this.#host, this.#request, async () => (await this.#status()).recoveryId);
		if (death.with === 'machine') this.#power.forget(); // one that was handed over is not started again
	}

	get #run(): SandboxRun {
		return this.#runs.now;
	}

	async #beginAgain(): Promise<boolean> {
		if (this.#again === 0) return false;
		this.#again -= 1;
		await this.#cutBack();
		return true;
	}

	async #cutBack(): Promise<void> {
		this.told.push(String(await this.#runs.cutBack(this.#random)));
		this.#underWay.clear();
		this.#power.forget(); // what was ordered may have been carried out, and has never been ordered
		this.#reports = new Reports(); // a worker tells everything again, now and then
		// What does the most harm to a workflow that takes what runs for something that was never started.
		if (this.#random.chance(0.3)) await this.#runs.act(run => run.cancel());
	}

	/** What the workers do: dispatch what was scheduled, tell the workflow what the host sees, guests live. */
	async #look(): Promise<void> {
		if (this.#run.closed === 'continued') await this.#continueAsNew();
		if (this.#broker) await this.#lookAtBroker(this.#broker);
		for (const activity of this.#run.open) if (!this.#underWay.has(activity.seq)) this.#attempt(activity);
		const workflows: Workflows = {
			report: async (_name, report) => {
				await this.#runs.act(run => run.signal('hostReport', report));
				return true;
			},
			standing: async () => (this.#runs.ended ? 'closed' : 'open'),
		};
		await forwardOnce(this.#host.calls, workflows, this.#reports, new AbortController().signal).catch(() => undefined);
		const definition = await this.#host.definition(this.#request.name);
		if (definition) this.#guest.write(this.#host.parts.host.guest(definition));
	}

	async #lookAtBroker(broker: SeededBroker): Promise<void> {
		await this.#runs.act(run => broker.look(run));
		await this.#runs.act(run => run.passTime(0)); // its clock is set before each turn
		// A history that lost its end does not know what it held; its broker asks whether it is over.
		if (this.#cutBacks) return;
		const copies = this.#host.copies((await this.#status()).recoveryId);
		await this.#runs.act(async run => broker.check(run, copies));
		if (!copies || this.#parkedInCopy) return;
		this.#parkedInCopy = true;
		await this.#runs.act(run => run.cancel());
	}

	async #continueAsNew(): Promise<void> {
		this.told.push('continued');
		this.#underWay.clear();
		await this.#runs.continueAsNew();
	}

	/** Attempts follow each other until one succeeds, or fails for good. */
	#attempt(activity: Scheduled): void {
		this.#underWay.add(activity.seq);
		const run = this.#run;
		let attempts = 0;
		void (async () => {
			const wanted = () => run === this.#run && run.open.some(({ seq }) => seq === activity.seq);
			for (let waitMs = 250; !this.#over && wanted(); waitMs *= 2) {
				try {
					const result = await this.#perform(activity);
					// The answer of an attempt that was carried out is lost with its worker.
					if (this.#random.chance(this.#host.deadliness)) continue;
					await this.#runs.act(now => (now === run ? now.completeActivity(activity, result) : Promise.resolve()));
					return;
				} catch (error) {
					this.#lastFailures.set(activity.seq, String(error));
					attempts += 1;
					const failure = failureOf(error, attempts === activity.attempts);
					if (failure !== undefined) {
						await this.#runs.act(now => (now === run ? now.failActivity(activity, failure) : Promise.resolve()));
						return;
					}
				}
				await fastClock.delay(Math.min(waitMs, 4_000));
			}
		})().catch((error: unknown) => {
			this.#runs.wrong ??= error;
		});
	}

	/** What the seed brings now, most of the time nothing. */
	async #trouble(): Promise<void> {
		const { movers } = this.#host.parts;
		const { recoveryId, phase } = await this.#status();
		const pair = movers.pair(recoveryId);
		const { name, repository } = this.#request;
		const troubles: Record<string, () => unknown> = {
			'mount mover died': () => pair.mount.die(),
			'migration mover died': () => pair.migration.die(),
			'repository mover died': () => movers.repositoryLife(repository).die(),
			'mount mover hangs': () => pair.mount.hang(),
			'reads are held': () => pair.holdReads(),
			'reads are let go': () => pair.release(),
			'machine died': () => this.#host.killMachine(name),
			'supervisor killed': () => this.#host.killSupervisor(),
			'repository is away': () => {
				this.#host.repositories.failing = this.#random.pick([
					'store_unreachable',
					'repository_missing',
					'space_short',
					'io_failed',
				] as const);
			},
			'repository is back': () => {
				this.#host.repositories.failing = undefined;
			},
			'history is long': () => {
				this.#run.suggestContinueAsNew = true;
			},
			'disk is full': () => {
				this.#host.disk.freeBytes = 0;
			},
			'disk has room': () => {
				this.#host.disk.freeBytes = Number.POSITIVE_INFINITY;
			},
			'clock was set': () => setClock((this.#random.below(5) - 2) * 3_600_000),
			...(this.#cutBacks ? { 'history lost its end': () => this.#cutBack() } : {}),
			...(this.#random.chance(0.3) ? { 'host rebooted': () => this.#host.reboot(name) } : {}),
			...(this.#random.chance(0.15) ? { 'workflow cancelled': () => this.#runs.act(run => run.cancel()) } : {}),
		};
		if (this.#random.chance(0.3)) return this.#order();
		if (!this.#random.chance(0.3)) return;
		const what = this.#random.pick(Object.keys(troubles));
		this.told.push(what);
		// After a boot of its host a machine stays off; one that was handed over is not started again.
		if (what === 'host rebooted' || (what === 'machine died' && phase === 'switching')) this.#power.forget();
		await troubles[what]?.();
	}

	async #order(): Promise<void> {
		const order = this.#random.pick([
			'migrate',
			'migrate',
			'switch',
			'power',
			'power',
			'retry',
			'setPolicy',
			'discard',
		] as const);
		if (order === 'discard' && this.#random.chance(0.8)) return;
		const more = {
			discard: { confirm: this.#request.name },
			power: {},
			setPolicy: { policy: { maxRateBytes: this.#random.below(1 << 20) } },
			migrate: {},
			switch: {},
			retry: {},
		}[order];
		if (order === 'power') return this.#orderPower();
		this.told.push(order);
		const outcome = await this.#runs.act(run => run.update(order, { ...asked, ...more }));
		if (order === 'discard' && outcome?.accepted) this.#discardConfirmed = true;
	}

	/** Some at once, as of a person who changes their mind. */
	async #orderPower(): Promise<void> {
		const last = this.#random.pick(['on', 'off', 'reset', 'shutdown'] as const);
		const before = { on: ['on', 'off'], off: ['off', 'on'], reset: ['off'], shutdown: [] } as const;
		for (const action of this.#random.chance(0.4) ? [...before[last], last] : [last]) await this.#givePower(action);
	}

	async #givePower(action: PowerAction): Promise<void> {
		this.told.push(`power ${action}`);
		await this.#runs.act(async run => {
			await run.update('power', { ...asked, action });
			const { lastUpdate } = run;
			this.#power.given(action, () => run.outcome(lastUpdate));
		});
	}

	/** Nothing is held, hangs or dies any more; a repository that is away stays so, and no end waits for it. */
	#calm(): void {
		this.told.push('calm');
		this.#host.deadliness = 0;
		this.#host.disk.freeBytes = Number.POSITIVE_INFINITY;
		this.#host.parts.host.settings.faults.mend();
	}

	/** What a person does who reads what is next. */
	async #help(tick: number): Promise<void> {
		const { recoveryId, phase, parked } = await this.#status();
		this.#host.parts.movers.pair(recoveryId).release();
		if (phase === 'planned') this.#host.repositories.failing = undefined; // no plan without one
		if (tick % 10 !== 0) return;
		const order = { running: 'migrate', migrated: 'switch' }[phase as string];
		if (parked?.next.order === 'power-reset') await this.#givePower('reset');
		else if (parked) await this.#runs.act(run => run.update('retry', asked));
		else if (order !== undefined) await this.#runs.act(run => run.update(order, asked));
	}

	async #whatStands(): Promise<string> {
		const pending = this.#run.open.map(({ type, seq }) => `${type}: ${this.#lastFailures.get(seq) ?? 'no answer'}`);
		return `${pending.join('; ')}; ${JSON.stringify(await this.#status())}`;
	}

	async #status(): Promise<RecoveryStatus> {
		// As the workflow published it: a query for each look would be most of the work.
		return (this.#run.memo['status'] ?? (await this.#run.query('status'))) as RecoveryStatus;
	}

	async #check(): Promise<void> {
		const status = await this.#status();
		const { name, repository: directory } = this.#request;
		const entries = await readdir(places.recoveries(this.#host.installation.home));
		await this.#settleDebts();
		if (!this.#cutBacks) this.#broker?.checkEnd();
		assert.ok(
			!(await isPinned(directory, status.recoveryId)),
			`the pin of ${status.recoveryId} is left: ${status.phase} ${JSON.stringify(status.failure)}`,
		);
		if (status.phase !== 'finished') {
			if (status.phase === 'failed') this.told.push(`failed: ${status.failure?.message}`);
			assert.ok(['discarded', 'failed'].includes(status.phase), `it ended ${status.phase}`);
			assert.ok(
				this.#discardConfirmed || this.#guest.acknowledged === 0,
				`${this.#guest.acknowledged} flushed writes were thrown away, and nobody has ordered it`,
			);
			assert.deepEqual(entries, [], `something is left on the host: ${status.phase} ${JSON.stringify(status.failure)}`);
			return;
		}
		assert.deepEqual(entries, [name]);
		const definition = await this.#host.definition(name);
		assert.ok(definition);
		this.#power.check(this.#host.parts.host.partsOf(definition).running.read());
		await this.#host.killMachine(name);
		this.#guest.check(await contentOf(this.#host.parts.host, definition, 0));
	}

	/** Whatever is owed to the repository is settled once it is back. */
	async #settleDebts(): Promise<void> {
		const owed = () => new OwedUnpins(this.#host.installation.home).recoveryIds();
		if ((await owed()).length > 0) this.told.push('an unpin is owed');
		this.#host.repositories.failing = undefined;
		await waitFor('no unpin to be owed', async () => (await owed()).length === 0, { timeoutMs: 20_000 });
	}

	/** The point of a machine that may run from it stays pinned or said to be unpinned, whatever its workflow believes. */
	async #checkPin(): Promise<void> {
		const { name, repository } = this.#request;
		const { recoveryId } = await this.#status();
		// First: a machine that is there after its pin has gone is what must not be. The pin comes before it is said to stand.
		const said = await this.#host.isUnpinned(name);
		const pinned = await isPinned(repository, recoveryId);
		const held = said || pinned || (await this.#host.isUnpinned(name));
		assert.ok(held || !(await this.#host.wasPoweredOn(name)), 'the machine runs, and its point is not pinned');
	}

	/** All places that the host's supervisors have come to. */
	get places(): ReadonlySet<string> {
		return this.#host.places;
	}

	/** How often a planned death has come. */
	get deathsMet(): number {
		return this.#host.deathsMet;
	}

	get phase(): string {
		return String((this.#run.result as { phase?: string } | undefined)?.phase ?? this.#run.closed);
	}
}
