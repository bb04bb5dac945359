import { randomUUID } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { QmpClient } from '../../qmp/client.ts';
import type { RecoveryPlan } from '../../model/recovery.ts';
import type { RecoveryView, StepAnswer, StepBody, StepName } from '../../supervisor/protocol.ts';
import { waitFor } from '../../system/wait.ts';
import { configureRepository } from './configured-repository.ts';
import { sampleConfig } from './sample-config.ts';
import type { StoredDisk } from './stored-disk.ts';
import type { SupervisedHost } from './supervised-host.ts';

export function samplePlan(
	stored: Pick<StoredDisk, 'directory' | 'image'>,
	more: Partial<RecoveryPlan> = {},
): RecoveryPlan {
	return {
		machineName: 'sample',
		machine: 'sample',
		restorePoint: '2026-11-20T03:00:00.000Z',
		manifestDigest: 'a'.repeat(64),
		repository: stored.directory,
		config: sampleConfig,
		nics: [],
		disks: [stored.image],
		platformOptions: {},
		hardware: null,
		allocate: 'thin',
		warnings: [],
		...more,
	};
}

type Rest<S extends StepName> = Omit<StepBody<S>, 'recoveryId' | 'generation'>;

/** One recovery on a supervised host, driven step by step as a workflow does it. */
export class SteppedRecovery {
	readonly host: SupervisedHost;
	readonly name: string;
	readonly recoveryId = randomUUID();
	plan: RecoveryPlan;
	generation = 0;

	constructor(host: SupervisedHost, plan: RecoveryPlan, name = 'r1') {
		this.host = host;
		this.plan = plan;
		this.name = name;
	}

	/** A new step; `again` repeats the last one's generation. */
	async step<S extends StepName>(step: S, rest: Rest<S>, { again = false } = {}): Promise<StepAnswer<S>> {
		if (step === 'allocate') await configureRepository(this.host.installation, this.plan.repository);
		if (!again) this.generation += 1;
		// The body is the step's own with the two fields that all have.
		const body = { recoveryId: this.recoveryId, generation: this.generation, ...rest } as unknown as StepBody<S>;
		return this.host.client.step(this.name, step, body);
	}

	view(): Promise<RecoveryView> {
		return this.host.client.recovery(this.name);
	}

	async viewed(what: string, wanted: (view: RecoveryView) => boolean, timeoutMs = 60_000): Promise<RecoveryView> {
		return waitFor(
			`recovery ${this.name}: ${what}`,
			async () => {
				// The supervisor may just be dead.
				const view = await this.view().catch(() => undefined);
				return view !== undefined && wanted(view) && view;
			},
			{ timeoutMs, everyMs: 50 },
		);
	}

	/** Fills the plan, unless it says already what the machine gets. */
	async chooseHardware(): Promise<void> {
		const { config, nics, platformOptions: options, hardware } = this.plan;
		this.plan = {
			...this.plan,
			hardware: hardware ?? (await this.host.client.hardware({ config, nics, options })),
		};
	}

	/** Up to the machine running, or made to run. */
	async run({ on = true } = {}): Promise<void> {
		await this.step('reserve', { limit: 8 });
		await this.chooseHardware();
		await this.step('allocate', { plan: this.plan });
		await this.step('create-machine', {});
		await this.step('start-movers', {});
		await this.step('snapshot', {});
		await this.step('power-on', { on });
	}

	async restore(): Promise<void> {
		await this.step('migrate-chunks', { maxRateBytes: 0 });
		await this.viewed('restored', view => view.restored);
	}

	target(disk = 0): string {
		return join(this.host.directory(this.name), `disk${disk}.raw`);
	}
}

/** Reads and writes of a machine without an operating system, through the block layer that a guest's go through. */
export class MachineIo {
	readonly #qmp: QmpClient;
	readonly #logPath: string;
	#read = 0;

	private constructor(qmp: QmpClient, logPath: string, read: number) {
		this.#qmp = qmp;
		this.#logPath = logPath;
		this.#read = read;
	}

	static async open(recovery: SteppedRecovery): Promise<MachineIo> {
		const { platform, directory } = await recovery.view();
		const logPath = join(directory, 'machine.log');
		return new MachineIo(
			await QmpClient.connect(platform['qmpSocket'] ?? '', {}),
			logPath,
			(await readFile(logPath)).length,
		);
	}

	write(offsetBytes: number, lengthBytes: number, pattern: number): Promise<void> {
		return this.#io(`write -P ${pattern} ${offsetBytes} ${lengthBytes}`);
	}

	/** Throws when the machine reads anything else. */
	verify(offsetBytes: number, lengthBytes: number, pattern: number): Promise<void> {
		return this.#io(`read -P ${pattern} ${offsetBytes} ${lengthBytes}`);
	}

	async flush(): Promise<void> {
		await this.#qmp.execute('human-monitor-command', {
			'command-line': 'qemu-io -d /machine/peripheral/vd0/virtio-backend "flush"',
		});
	}

	execute(command: string, args?: Record<string, unknown>): Promise<unknown> {
		return this.#qmp.execute(command, args);
	}

	close(): void {
		this.#qmp.close();
	}

	/** The monitor's answer is empty: what qemu-io says goes to QEMU's standard output. */
	async #io(command: string): Promise<void> {
		await this.#qmp.execute('human-monitor-command', {
			'command-line': `qemu-io -d /machine/peripheral/vd0/virtio-backend "${command}"`,
		});
		const said = await waitFor('qemu-io to report', async () => this.#new(), { timeoutMs: 10_000, everyMs: 5 });
		if (!/^(read|wrote) \d+\/\d+ bytes/m.test(said) || /verification failed/.test(said))
			throw new Error(`${command}: ${said}`);
	}

	/** What was logged since, once it is a whole report. */
	async #new(): Promise<string | undefined> {
		const log = await readFile(this.#logPath, 'utf8');
		const said = log.slice(this.#read);
		if (!/ops\/sec\)\n|failed|error|denied/i.test(said)) return undefined;
		this.#read = log.length;
		return said;
	}
}

/** Throws unless the file holds exactly these bytes (and zeros up to a whole sector). */
export async function fileMustHold(path: string, bytes: Buffer): Promise<void> {
	const file = await open(path, 'r');
	try {
		const { size } = await file.stat();
		const wanted = Math.ceil(bytes.length / 512) * 512;
		if (size !== wanted) throw new Error(`${path} has ${size} bytes, not ${wanted}`);
		const found = Buffer.alloc(size);
		await file.read(found, 0, size, 0);
		const padded = Buffer.concat([bytes, Buffer.alloc(wanted - bytes.length)]);
		if (found.equals(padded)) return;
		const at = found.findIndex((byte, index) => byte !== padded[index]);
		throw new Error(`${path} differs at ${at}: ${found[at]}, not ${padded[at]}`);
	} finally {
		await file.close();
	}
}
