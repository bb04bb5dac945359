import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Server } from 'node:http';
import type { CapacityReport } from '../../model/broker.ts';
import { RouseError } from '../../model/errors.ts';
import { hardwareRequestSchema } from '../../model/hardware-request.ts';
import type { Hardware } from '../../model/hardware.ts';
import type { Incident } from '../../model/recovery.ts';
import { leasesGoneSchema, type RecoveryView, stepBodies, type StepName } from '../../supervisor/protocol.ts';
import { type Installation, places } from '../../system/installation.ts';
import { serveJson } from '../../system/unix-http.ts';
import { sampleHardware } from './sample-config.ts';
import { sampleHostView } from './sample-host.ts';

export interface StepCalled {
	name: string;
	step: StepName;
	generation: number;
}

/**
 * A supervisor that has no machines: it keeps generations, and copies as fast as the test lets it. For tests of workers,
 * workflows and clients against a real Temporal server, where a machine would only cost time.
 */
export class SupervisorDouble {
	readonly calls: StepCalled[] = [];
	readonly views = new Map<string, RecoveryView>();
	readonly incidents: Incident[] = [];
	hostView = sampleHostView;
	/** A step in here fails with this until the test takes it out. */
	readonly failing = new Map<StepName, RouseError>();
	readonly #server: Server;

	private constructor(server: Server) {
		this.#server = server;
	}

	static async start(installation: Installation): Promise<SupervisorDouble> {
		const path = places.supervisorSocket(installation.runDirectory);
		await mkdir(dirname(path), { recursive: true });
		let self: SupervisorDouble | undefined;
		const server = await serveJson(path, async ({ method, path: parts, query, body }) => {
			if (!self) throw new RouseError('internal', 'not ready');
			return self.#answer(method, parts, query, body);
		});
		self = new SupervisorDouble(server);
		return self;
	}

	async stop(): Promise<void> {
		this.#server.closeAllConnections();
		await new Promise(resolve => this.#server.close(resolve));
	}

	/** Lets a copy come to its end. */
	restore(name: string): void {
		const view = this.view(name);
		view.disks = view.disks.map(disk => ({ ...disk, restoredBytes: disk.sizeBytes }));
		view.restored = true;
	}

	view(name: string): RecoveryView {
		const view = this.views.get(name);
		if (!view) throw new RouseError('recovery_unknown', `no recovery ${name} here`);
		return view;
	}

	stepsOf(name: string): StepName[] {
		return this.calls.filter(call => call.name === name).map(({ step }) => step);
	}

	#answer(method: string, [noun, name = '', step]: readonly string[], query: URLSearchParams, body: unknown): unknown {
		if (noun === 'host') return this.hostView;
		if (noun === 'hardware') return this.#chooseHardware(body);
		if (noun === 'capacity') return this.#capacity();
		if (noun === 'leases') return { gone: leasesGoneSchema.parse(body).requestIds };
		if (noun !== 'recoveries') throw new RouseError('protocol', `nothing known of ${noun}`);
		if (name === '') return { recoveries: [...this.views.values()] };
		if (step === 'incidents')
			return { incidents: this.incidents.filter(({ sequence }) => sequence > Number(query.get('after') ?? 0)) };
		if (method === 'GET') return this.view(name);
		if (step === undefined || !isStep(step)) throw new RouseError('protocol', `no step ${step}`);
		return this.#step(name, step, body);
	}

	/** Of a host that runs out of nothing. */
	#capacity(): CapacityReport {
		const plenty = { total: 1_000_000, outside: 0 };
		return {
			reporter: `host/${this.hostView.name}`,
			hostId: this.hostView.hostId,
			number: Date.now(),
			resources: { recoveries: plenty, migrations: plenty, memoryMiB: plenty, vcpus: plenty },
			held: [],
		};
	}

	#chooseHardware(body: unknown): Hardware {
		hardwareRequestSchema.parse(body);
		return sampleHardware;
	}

	#step(name: string, step: StepName, body: unknown): unknown {
		const { recoveryId, generation } = stepBodies[step].parse(body);
		if (step !== 'incident') this.calls.push({ name, step, generation });
		const view = this.views.get(name) ?? emptyView(name, recoveryId);
		if (view.recoveryId !== recoveryId) throw new RouseError('identity_conflict', `${name} is ${view.recoveryId}`);
		if (generation < view.generation)
			throw new RouseError('generation_stale', `generation ${generation} is older than ${view.generation}`);
		view.generation = generation;
		this.views.set(name, view);
		const failure = this.failing.get(step);
		if (failure) throw failure;
		return this.#perform(view, step, body);
	}

	#perform(view: RecoveryView, step: StepName, body: unknown): unknown {
		if (!view.done.includes(step)) view.done.push(step);
		if (step === 'power-on') view.power = stepBodies['power-on'].parse(body).on ? 'on' : 'off';
		if (step === 'incident') this.#record(stepBodies.incident.parse(body));
		if (step === 'migrate-chunks') view.copying = true;
		if (step === 'retry') view.blocked = null;
		if (step === 'keep-first-reads') return { chunks: 9 };
		if (step === 'switch-to-target') {
			view.chain = 'target';
			return { pauseMs: 1.5 };
		}
		if (step === 'power') return { power: (view.power = stepBodies.power.parse(body).action === 'off' ? 'off' : 'on') };
		if (step === 'finalize' || step === 'discard' || step === 'undo') {
			view.state = step === 'finalize' ? 'finished' : 'discarded';
			return { incidents: this.incidents, wasHere: true };
		}
		return {};
	}

	#record({ kind, message }: { kind: string; message: string }): void {
		const sequence = this.incidents.length + 1;
		this.incidents.push({ sequence, at: new Date().toISOString(), kind, message, count: 1 });
		for (const view of this.views.values()) view.incidents = sequence;
	}
}

function isStep(word: string): word is StepName {
	return Object.hasOwn(stepBodies, word);
}

function emptyView(name: string, recoveryId: string): RecoveryView {
	return {
		name,
		recoveryId,
		machineName: name,
		generation: 0,
		state: 'active',
		done: [],
		chain: 'mover',
		sealed: false,
		power: 'off',
		blocked: null,
		nics: [],
		disks: [{ sizeBytes: 1 << 20, restoredBytes: 0, path: '/nowhere/disk0.raw' }],
		restored: false,
		copying: false,
		copyLimits: [],
		movers: [],
		switchPauseMs: null,
		firstReads: null,
		unpinned: null,
		stalled: null,
		switchStage: 'none',
		powerDesired: null,
		powerOrder: 0,
		drill: null,
		forwards: [],
		readBytes: null,
		runDirectory: null,
		platform: {},
		directory: '/nowhere',
		incidents: 0,
	};
}
