import type { Duplex } from 'node:stream';
import { asRouseError, RouseError } from '../../model/errors.ts';
import type { Clock } from '../../system/clock.ts';
import type { ConsoleKind, Machine, MachineObservation } from '../../hypervisors/contract.ts';
import type { Blocked, Power, PowerAction } from '../../model/recovery.ts';
import type { HostParts } from './host-parts.ts';
import { autostartOf } from './autostart.ts';
import { definitionOfFinished, type MachineFile, writePower } from '../files/machine-file.ts';
import { type RecoveryPlaces, recoveryPlaces } from '../files/places.ts';
import type { RecoveryView } from '../protocol.ts';
import { removeDirectory } from '../files/remove-directory.ts';
import { lastingSteps } from '../files/state.ts';
import { openGate } from './gate.ts';
import { StepQueue } from './step-queue.ts';
import { untilDone } from './until-done.ts';

/** A question must be answered: a platform that hangs says so itself after two seconds, most of the time. */
const lookMs = 3_000;

/** A machine whose recovery is finished: its own record, its disks and the platform are all that it takes. */
export class FinishedMachine {
	readonly name: string;
	readonly recoveryId: string;
	#file: MachineFile;
	readonly #host: HostParts;
	readonly #places: RecoveryPlaces;
	readonly #clock: Clock;
	readonly #machine: Machine;
	readonly #queue = new StepQueue(0);
	/** Raised by an order that need not wait for what is under way, and takes it back. */
	#generation = 0;
	#ordered: PowerAction | 'remove' | undefined;
	#seen: MachineObservation | undefined;
	/** Why the last look at the machine failed. */
	#unseen: RouseError | undefined;
	#removed = false;
	readonly #closing = new AbortController();
	/** It was on when its host was started anew, and policy says that a person decides. */
	#asks = false;
	/** Why it could not be started after a boot of the host. */
	#startFailure: RouseError | undefined;

	constructor(host: HostParts, file: MachineFile) {
		this.name = file.name;
		this.recoveryId = file.recoveryId;
		this.#file = file;
		this.#host = host;
		this.#places = recoveryPlaces(host.installation, file.name, file.recoveryId);
		if (file.hardware.platform !== host.platform.kind)
			throw new RouseError(
				'identity_conflict',
				`machine ${file.name} is one of platform ${file.hardware.platform}, this host is ${host.platform.kind}`,
				{ hint: 'host.kind in config.yaml: put back what it was when the machine was recovered' },
			);
		this.#clock = host.clock;
		this.#machine = host.platform.machine(definitionOfFinished(file, this.#places), openGate);
	}

	/** To turn it off is done at once, whatever it does: a start may last for as long as its platform merges disks. */
	power(action: PowerAction): Promise<{ power: Power }> {
		const ordered = this.#queue.run(`power-${action}`, this.#generationOf(action), signal =>
			this.#power(action, signal),
		);
		const answer = ordered.catch((cause: unknown) => {
			if (asRouseError(cause).code !== 'generation_stale') throw cause;
			throw new RouseError('generation_stale', `${action} of machine ${this.name}: taken back by a later order`, {
				cause,
			});
		});
		answer.catch(() => undefined); // whoever asked may be gone, as in the queue
		return answer;
	}

	#generationOf(order: PowerAction | 'remove'): number {
		if (['off', 'remove'].includes(order) && order !== this.#ordered) this.#generation += 1;
		this.#ordered = order;
		return this.#generation;
	}

	async #power(action: PowerAction, signal: AbortSignal): Promise<{ power: Power }> {
		if (this.#removed) throw new RouseError('recovery_unknown', `machine ${this.name} was removed`);
		const before = await this.#machine.observe();
		if (action === 'shutdown' && before.power === 'off' && this.#startFailure) {
			await this.#remember('off'); // what is to be is said: it would be started a while later
			return { power: before.power };
		}
		if ((action === 'shutdown' || action === 'reset') && before.power === 'off')
			throw new RouseError('phase_wrong', `machine ${this.name} is off`, { hint: `rouse host start ${this.name}` });
		await this.#remember(action === 'off' || action === 'shutdown' ? 'off' : 'on');
		if (action === 'shutdown') await this.#machine.shutdown({ signal });
		else if (action === 'reset') await this.#machine.reset({ signal });
		else if (action === 'off') await this.#machine.powerOff({ signal });
		else {
			await this.#machine.powerOn('target', { signal });
			if (before.ioError) await this.#machine.resume({ signal });
		}
		this.#seen = await this.#machine.observe({ signal });
		return { power: this.#seen.power };
	}

	/**
	 * Its host may have been started anew since it was last wished on: what becomes of it then is the host's policy, since no
	 * recovery is open that could say so. One that cannot be started is tried again until it runs or somebody says what is to
	 * be. Never throws: why it could not be started is told by the view.
	 */
	async obeyAutostart(): Promise<void> {
		const failed = (error: unknown) => {
			this.#startFailure = asRouseError(error);
			this.#host.log.error({ err: error, recovery: this.name }, 'a finished machine is not started after a boot');
		};
		const { signal } = this.#closing;
		const obey = () => this.#queue.run('autostart', this.#generation, stopped => this.#obeyAutostart(stopped));
		await untilDone(obey, { failed, clock: this.#clock, signal });
	}

	async #obeyAutostart(signal: AbortSignal): Promise<void> {
		const { desired, bootId } = this.#file.power;
		if (this.#closing.signal.aborted || desired === 'off' || bootId === (await this.#host.platform.bootId())) return;
		if ((await this.#machine.observe()).power !== 'off') return this.#remember('on'); // by its own start script, or it took long
		const autostart = await autostartOf(this.#host);
		this.#asks = autostart === 'ask';
		if (autostart !== 'always') {
			this.#startFailure = undefined;
			return;
		}
		await this.#machine.powerOn('target', { signal });
		await this.#remember('on'); // not before: until then it is tried again, by the next supervisor as well
	}

	async #remember(desired: 'on' | 'off'): Promise<void> {
		const bootId = desired === 'on' ? await this.#host.platform.bootId() : this.#file.power.bootId;
		this.#file = await writePower(this.#places.machine, this.#file, { desired, bootId });
		this.#asks = false;
		this.#startFailure = undefined;
	}

	get size(): { memoryMiB: number; cpus: number } {
		const { memoryMiB, cpus } = this.#file.config;
		return { memoryMiB, cpus };
	}

	/** As it was seen last; before that, as it is to be. */
	get runs(): boolean {
		return (this.#seen?.power ?? this.#file.power.desired) !== 'off';
	}

	/** See `Machine.takenMiB`; where a platform does not tell, it takes all from its start. */
	async takenMiB(): Promise<number> {
		const told = await this.#machine.takenMiB?.();
		return told ?? (this.runs ? this.size.memoryMiB : 0);
	}

	console(kind: ConsoleKind, signal: AbortSignal): Promise<Duplex> {
		return this.#machine.console(kind, { signal });
	}

	/** `undefined`: its platform has no way to it. */
	async agentAnswers(signal: AbortSignal): Promise<boolean | undefined> {
		return this.#machine.agentAnswers?.({ signal });
	}

	/** The machine is ended if it runs, and goes with its disks; machine.json, which protects them, goes last. */
	remove(): Promise<void> {
		return this.#queue.run('remove', this.#generationOf('remove'), async signal => {
			this.#closing.abort(); // first: what is left when this fails must not be started
			await this.#machine.remove({ signal });
			await this.#machine.removeTargets();
			await this.#machine.close();
			await removeDirectory(this.#places, this.#places.machine);
			this.#removed = true;
		});
	}

	/** With a look at the machine, unless something is being done to it; one that does not answer hides no other. */
	async view(): Promise<RecoveryView> {
		// The first look is waited for even so: a machine that nobody has looked at yet must not be told as one that is off.
		const never = this.#seen === undefined && this.#unseen === undefined;
		if (never || !this.#queue.busy) await Promise.race([this.#look(), this.#clock.delay(lookMs)]);
		return {
			name: this.name,
			recoveryId: this.recoveryId,
			machineName: this.#file.machineName,
			generation: this.#file.generation,
			state: 'finished',
			done: [...lastingSteps],
			chain: 'target',
			sealed: true,
			power: this.#seen?.power ?? (this.#unseen ? 'paused' : 'off'),
			blocked: this.#blocked(),
			disks: this.#file.disks.map(({ sizeBytes, path }) => ({ sizeBytes, restoredBytes: sizeBytes, path })),
			nics: this.#file.nics,
			restored: true,
			copying: false,
			movers: [],
			switchPauseMs: this.#file.switchPauseMs,
			firstReads: null,
			unpinned: null,
			stalled: null,
			copyLimits: [],
			switchStage: 'done',
			powerDesired: null,
			powerOrder: 0,
			drill: null,
			forwards: [],
			readBytes: null,
			runDirectory: this.#places.runDirectory,
			platform: { ...this.#machine.debug },
			directory: this.#places.directory,
			incidents: 0,
		};
	}

	async close(): Promise<void> {
		this.#closing.abort();
		await this.#queue.stop();
		await this.#machine.close();
	}

	async #look(): Promise<void> {
		try {
			await this.#queue.background(async () => {
				this.#seen = await this.#machine.observe();
			});
			this.#unseen = undefined;
		} catch (error) {
			this.#unseen = asRouseError(error);
		}
	}

	#blocked(): Blocked | null {
		if (this.#unseen)
			return {
				code: this.#unseen.code,
				reason: `the machine cannot be looked at: ${this.#unseen.message}`,
				next: { order: 'power-off', first: 'wait whether it answers again' },
			};
		if (this.#startFailure) {
			const { code, message } = this.#startFailure;
			return {
				code,
				reason: `not started after a boot of the host, and tried again: ${message}`,
				next: { order: 'power-on' },
			};
		}
		if (this.#asks && this.#seen?.power === 'off')
			return {
				code: 'host_rebooted',
				reason: 'the host was started anew: the machine, which had been on, stays off until somebody powers it on',
				next: { order: 'power-on' },
			};
		const { ioError } = this.#seen ?? {};
		if (ioError === undefined) return null;
		return {
			code: ioError.noSpace ? 'space_short' : 'io_failed',
			reason: `the guest stands still: a ${ioError.operation} of ${ioError.disk} failed in ${this.#places.directory}`,
			next: { order: 'power-on', first: ioError.noSpace ? `make room in ${this.#places.directory}` : 'mend that disk' },
		};
	}
}
