import { isDeepStrictEqual } from 'node:util';
import { type ErrorCode, RouseError } from '../../model/errors.ts';
import type { Machine, MachineObservation } from '../../hypervisors/contract.ts';
import type { Blocked, RecoveryPlan } from '../../model/recovery.ts';
import type { ChunkService, MigrationMoverState, MountMoverState } from '../../movers/config.ts';
import { readDocument, writeDocument } from '../files/document.ts';
import type { HostParts } from './host-parts.ts';
import { IncidentLog } from '../files/incident-log.ts';
import { definitionOf, diskName } from '../files/machine-file.ts';
import { firstReadsAtStart } from '../movers/first-reads.ts';
import { chunkService } from '../movers/service.ts';
import { MoverWatch } from '../movers/watch.ts';
import type { MigrationMover, MountMover, RecoveryDisk, RepositoryMover } from '../movers/movers.ts';
import { type CopyPace, unpaced } from '../pace/copy-pace.ts';
import { type RecoveryPlaces, recoveryPlaces } from '../files/places.ts';
import { MountMoverGate } from './gate.ts';
import { Progress } from './progress.ts';

import { type Change, change, newState, type RecoveryState, recoveryStateSchema } from '../files/state.ts';
import { StepQueue } from './step-queue.ts';
import { holdsAgainst, type Tombstone } from '../files/tombstones.ts';

/** Throws `identity_conflict` for a plan whose hardware another platform has chosen, or none. */
export function expectPlatform(name: string, { hardware }: RecoveryPlan, kind: string): void {
	if (hardware?.platform === kind) return;
	throw new RouseError(
		'identity_conflict',
		`recovery ${name} was planned for ${hardware ? `platform ${hardware.platform}` : 'no platform'}, this host is ${kind}`,
		{ hint: 'host.kind in config.yaml: put back what it was when the recovery began' },
	);
}

/** What hangs on the plan: made when it is known. */
export interface Equipment {
	machine: Machine;
	disks: readonly RecoveryDisk[];
	progress: Progress;
	mount: MountMover;
	migration: MigrationMover;
	/** None where the repository is on another machine. */
	repository: RepositoryMover | undefined;
	/** What serves it instead, and its token in its place. */
	service: ((signal?: AbortSignal) => Promise<ChunkService>) | undefined;
	watch: { mount: MoverWatch<MountMoverState>; migration: MoverWatch<MigrationMoverState> };
}

/** It goes on by itself when what it waits for is back. */
export interface Stalled {
	code: ErrorCode;
	reason: string;
	since: string;
	sinceMs: number;
	/** A mover that was just started, or a repository mover that was killed, is no news. */
	told: boolean;
}

/** What was last seen of it; never a reason to skip a look before something is done. */
export interface Seen {
	machine: MachineObservation | undefined;
	mount: MountMoverState | undefined;
	migration: MigrationMoverState | undefined;
	blocked: Blocked | null;
	/** Why the switch, once begun, could not be carried on. */
	switchFailure: RouseError | undefined;
	/** Why the machine could not be started again. */
	machineFailure: RouseError | undefined;
	/** Why what the machine stands on is not there. */
	baseFailure: RouseError | undefined;
	/** When each error was seen that may be the mover's and that no bad chunk explains. */
	moverErrors: number[];
	readsWaited: boolean;
	/** Of the mount mover's count what is in the incidents, and when that was told. */
	refusedWrites: { count: number; toldAtMs: number };
	/** What it waits for, and what may come back by itself. */
	stalled: Stalled | undefined;
	/** Somebody who knows its workflow has said that it is open. */
	open: boolean;
	/** It was on when its host was started anew, and waits for a word before it is started. */
	asksToStart: boolean;
	/** The host has set the pin that was missing. */
	pinned: boolean;
	/** Since when every look has failed at something. */
	failingSince: number | undefined;
	notBefore: { switch: number; machine: number; base: number };
}

/** One recovery on this host that has not ended: its durable state and what belongs to it. */
export class Recovery {
	readonly places: RecoveryPlaces;
	readonly incidents: IncidentLog;
	readonly queue: StepQueue;
	/** Set when the recovery has ended, and what remains is to clear up. */
	tombstone: Tombstone | undefined;
	readonly seen: Seen = {
		machine: undefined,
		mount: undefined,
		migration: undefined,
		blocked: null,
		switchFailure: undefined,
		machineFailure: undefined,
		baseFailure: undefined,
		moverErrors: [],
		readsWaited: false,
		refusedWrites: { count: 0, toldAtMs: -Infinity },
		stalled: undefined,
		open: false,
		asksToStart: false,
		pinned: false,
		failingSince: undefined,
		notBefore: { switch: 0, machine: 0, base: 0 },
	};
	/** How fast its copy may be: the host's look at all of them says it. */
	pace: CopyPace = unpaced;
	readonly #host: HostParts;
	#state: RecoveryState;
	#written: RecoveryState | undefined;
	#equipment: Equipment | undefined;

	private constructor(host: HostParts, state: RecoveryState, written: boolean) {
		this.#host = host;
		this.#state = state;
		this.#written = written ? state : undefined;
		this.places = recoveryPlaces(host.installation, state.name, state.recoveryId);
		this.incidents = new IncidentLog(this.places.incidents, () => host.clock.date());
		this.queue = new StepQueue(state.generation);
	}

	/** Its directory is there and empty. */
	static create(host: HostParts, recoveryId: string, name: string, generation: number): Recovery {
		return new Recovery(host, newState(recoveryId, name, generation), false);
	}

	/** From state.json; undefined when there is none. */
	static async load(host: HostParts, statePath: string): Promise<Recovery | undefined> {
		const state = await readDocument(statePath, recoveryStateSchema);
		if (state === undefined) return undefined;
		const recovery = new Recovery(host, state, true);
		const tombstone = await host.tombstones.read(state.recoveryId);
		if (tombstone && holdsAgainst(tombstone, state)) recovery.tombstone = tombstone;
		return recovery;
	}

	/** Null as long as neither a request nor a plan has told it. */
	get repository(): string | null {
		const { request, plan } = this.#state;
		return request?.repository ?? plan?.repository ?? null;
	}

	get state(): RecoveryState {
		return this.#state;
	}

	get name(): string {
		return this.#state.name;
	}

	get recoveryId(): string {
		return this.#state.recoveryId;
	}

	/**
	 * Durable when it resolves. When it throws nobody knows whether the old state or the new one is on disk; the old one
	 * counts, and is written again by the next call, whatever that changes. Called from the queue only.
	 */
	async change(...changes: readonly Change[]): Promise<void> {
		const next = changes.reduce((state, apply) => apply(state), this.#state);
		if (this.#written && isDeepStrictEqual(next, this.#written)) return;
		this.#written = undefined;
		await writeDocument(this.places.state, recoveryStateSchema, next);
		this.#state = this.#written = next;
	}

	/** Durable with the next change, or when the step ends: until then it has done nothing that an older one could undo. */
	raise(generation: number): void {
		this.#state = change.generation(generation)(this.#state);
	}

	get equipped(): boolean {
		return this.#state.plan !== null;
	}

	/** Throws `phase_wrong` before `allocate`. */
	get equipment(): Equipment {
		return (this.#equipment ??= this.#equip());
	}

	async close(): Promise<void> {
		await this.#equipment?.progress.close();
		await this.#equipment?.machine.close();
		this.#equipment = undefined;
	}

	#equip(): Equipment {
		const { plan, recoveryId, elsewhere } = this.#state;
		if (plan === null)
			throw new RouseError('phase_wrong', `recovery ${this.name} has no disks yet: allocate comes first`);
		const { movers, platform, clock } = this.#host;
		expectPlatform(this.name, plan, platform.kind);
		const machine = platform.machine(definitionOf(this.#state, this.places), new MountMoverGate(this, clock));
		const disks = plan.disks.map((image, index) => {
			const name = diskName(index);
			return { name, image, mapPath: this.places.map(name) };
		});
		const targets = () => machine.openTargets();
		const volume = async () => machine.volume?.();
		const { repository } = plan;
		const use = { repository, recoveryId, token: this.places.token };
		const service = elsewhere ? (signal?: AbortSignal) => chunkService(this.#host, use, signal) : undefined;
		const firstReads = () => firstReadsAtStart(this.#host, this);
		const own = { recoveryId, repository, places: this.places, disks, targets, volume, firstReads };
		const of = service ? { ...own, service } : own;
		const mount = movers.mount(of);
		const migration = movers.migration(of);
		const incident = (kind: string, message: string) => this.incidents.add(kind, message);
		return {
			machine,
			disks,
			progress: new Progress(of),
			mount,
			migration,
			repository: service ? undefined : movers.repository(repository),
			service,
			watch: {
				mount: new MoverWatch(mount, clock, incident),
				migration: new MoverWatch(migration, clock, incident),
			},
		};
	}
}
