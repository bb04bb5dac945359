/** A platform and movers that only remember what they were told: for the rules of the supervisor, not for what it drives. */
import type { Hypervisor, Machine, MachineObservation } from '../../hypervisors/contract.ts';
import type { MigrationMoverState, MountMoverState } from '../../movers/config.ts';
import type { Mover, MoverKind, Movers, RecoveryMoversOf } from '../../supervisor/movers/movers.ts';
import { RouseError } from '../../model/errors.ts';

export class PretendMachine implements Machine {
	readonly sockets = { console: '/pretend/console', vnc: '/pretend/vnc', qmp: '/pretend/qmp' };
	readonly calls: string[] = [];
	now: MachineObservation = { power: 'off', alive: false, ioError: undefined };
	/** Done before each call; throws what the platform is to throw. */
	before: (call: string) => Promise<void> | void = () => undefined;

	create = () => this.#call('create');
	snapshot = () => this.#call('snapshot');
	powerOn = (chain: string) => this.#call(`powerOn ${chain}`, { power: 'on', alive: true, ioError: undefined });
	shutdown = () => this.#call('shutdown');
	reset = () => this.#call('reset');
	powerOff = () => this.#call('powerOff', { power: 'off', alive: false, ioError: undefined });
	resume = () => this.#call('resume', { power: 'on', alive: true, ioError: undefined });
	handOver = () => this.#call('handOver');
	remove = () => this.#call('remove', { power: 'off', alive: false, ioError: undefined });
	close = async () => undefined;

	async observe(): Promise<MachineObservation> {
		return this.now;
	}

	async switchToTarget(calls: Parameters<Machine['switchToTarget']>[0]): Promise<{ pauseMs: number }> {
		await this.#call('switchToTarget');
		if (calls.chain === 'mover') await calls.mark('local');
		await calls.stopMountMover();
		if (calls.chain !== 'target') await calls.mark('target');
		return { pauseMs: 5 };
	}

	async #call(call: string, after: MachineObservation = this.now): Promise<void> {
		await this.before(call);
		this.calls.push(call);
		this.now = after;
	}
}

export class PretendHypervisor implements Hypervisor {
	/** By recovery id, or the only one there is. */
	readonly machines = new Map<string, PretendMachine>();

	get only(): PretendMachine {
		const [machine] = this.machines.values();
		if (machine === undefined) throw new Error('no machine was made');
		return machine;
	}

	async report() {
		return {
			name: 'pretend',
			version: '1',
			accelerator: 'tcg',
			firmwares: [],
			warnings: [],
			unusable: undefined,
		} as const;
	}

	/** The machine outlives the object, as a real one does. */
	machine({ recoveryId }: { recoveryId: string }): PretendMachine {
		const machine = this.machines.get(recoveryId) ?? new PretendMachine();
		this.machines.set(recoveryId, machine);
		return machine;
	}
}

export class PretendMover<State> implements Mover<{ state(): Promise<State> }> {
	readonly kind: MoverKind;
	readonly calls: string[] = [];
	alive = false;
	silent = false;
	killable = true;
	/** What an order does to its state. */
	told: (order: string) => void = () => undefined;
	state: State;
	#pid = 1000;

	constructor(kind: MoverKind, state: State) {
		this.kind = kind;
		this.state = state;
	}

	get control() {
		const call = async (what: string) => {
			await this.#answer();
			this.calls.push(what);
			this.told(what);
		};
		return {
			state: () => this.#answer(),
			failPending: (forMs: number) => call(`failPending ${forMs}`),
			serve: () => call('serve'),
			copy: (rate: number) => call(`copy ${rate}`),
			rate: (rate: number) => call(`rate ${rate}`),
			retry: () => call('retry'),
		};
	}

	holder = async () => (this.alive ? { pid: this.#pid, startTicks: '1' } : undefined);
	listens = async () => this.alive;
	remove = async () => undefined;

	start = async () => {
		if (this.alive) return;
		this.calls.push('start');
		this.alive = true;
		this.silent = false;
		this.#pid += 1;
	};

	end = async () => {
		if (!this.killable) return false;
		if (this.alive) this.calls.push('end');
		this.alive = false;
		return true;
	};

	async #answer(): Promise<State> {
		if (!this.alive || this.silent) throw new RouseError('mover_unreachable', 'nobody answers');
		return this.state;
	}
}

export class PretendMovers implements Movers {
	readonly mounts = new Map<string, PretendMover<MountMoverState>>();
	readonly migrations = new Map<string, PretendMover<MigrationMoverState>>();
	readonly repositories = new Map<string, PretendMover<never>>();

	get onlyMount(): PretendMover<MountMoverState> {
		return only(this.mounts);
	}

	get onlyMigration(): PretendMover<MigrationMoverState> {
		return only(this.migrations);
	}

	mount({ recoveryId }: RecoveryMoversOf) {
		const state: MountMoverState = {
			recoveryId,
			disks: [],
			waitingReads: 0,
			oldestWaitMs: 0,
			failing: false,
			badChunks: [],
			failure: null,
			counters: {},
		};
		return known(this.mounts, recoveryId, () => new PretendMover('mount', state));
	}

	migration({ recoveryId, disks }: RecoveryMoversOf) {
		const state: MigrationMoverState = {
			recoveryId,
			disks: disks.map(({ name }) => ({ name, restoredBytes: 0, complete: false })),
			copying: false,
			maxRateBytes: 0,
			failure: null,
			trouble: null,
			badChunks: [],
		};
		return known(this.migrations, recoveryId, () => new PretendMover('migration', state));
	}

	repository(directory: string) {
		// Its state is asked for by nobody here but to see that it answers.
		return known(this.repositories, directory, () => new PretendMover('repository', {} as never));
	}

	async knownRepositories(): Promise<string[]> {
		return [...this.repositories].filter(([, mover]) => mover.alive).map(([directory]) => directory);
	}
}

function known<T>(all: Map<string, T>, key: string, make: () => T): T {
	const found = all.get(key) ?? make();
	all.set(key, found);
	return found;
}

function only<T>(all: Map<string, T>): T {
	const [one] = all.values();
	if (one === undefined) throw new Error('none was made');
	return one;
}
