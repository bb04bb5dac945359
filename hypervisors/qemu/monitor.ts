import { RouseError } from '../../model/errors.ts';
import type { MachineDefinition } from '../contract.ts';
import { abortable } from './abortable.ts';
import { diskOfDevice, queryUuid } from './monitor-queries.ts';
import type { MachinePaths } from './paths.ts';
import type { ConnectOptions, Qmp } from '../../qmp/client.ts';
import { takeRunDirectory } from './run-directory.ts';
import type { QmpEvent } from '../../qmp/session.ts';

/** Opens a QMP connection; tests hand in one that lies. */
export type ConnectQmp = (path: string, options: ConnectOptions) => Promise<Qmp>;

/** The supervisor's connection to one machine: opened when needed, kept, and opened anew when QEMU was. */
export class MachineMonitor {
	readonly #definition: MachineDefinition;
	readonly #path: string;
	readonly #connect: ConnectQmp;
	readonly #failedOperations = new Map<number, 'read' | 'write'>();
	#qmp: Qmp | undefined;

	constructor(definition: MachineDefinition, paths: MachinePaths, connect: ConnectQmp) {
		this.#definition = definition;
		this.#path = paths.supervisorMonitor;
		this.#connect = connect;
	}

	/**
	 * `identity_conflict` when another recovery's machine answers. One that is aborted leaves no connection behind: it would
	 * take the place of the next.
	 */
	async open(options: ConnectOptions = {}): Promise<Qmp> {
		options.signal?.throwIfAborted();
		if (this.#qmp && !this.#qmp.closed) return this.#qmp;
		const qmp = await this.#connect(this.#path, options);
		try {
			const uuid = await queryUuid(abortable(qmp, options.signal), options);
			if (uuid !== this.#definition.recoveryId)
				throw new RouseError('identity_conflict', `the machine at ${this.#path} is of recovery ${uuid}`);
			// It answers, so it has made all its sockets.
			await takeRunDirectory(this.#definition.runDirectory);
		} catch (error) {
			qmp.close();
			throw error;
		}
		this.#failedOperations.clear();
		qmp.onEvent(event => this.#note(event));
		this.#qmp = qmp;
		return qmp;
	}

	/**
	 * What the disk's last failed request wanted, as far as this connection heard of it: QEMU tells it only in an event,
	 * not when asked later.
	 */
	failedOperation(disk: number): 'read' | 'write' | undefined {
		return this.#failedOperations.get(disk);
	}

	close(): void {
		this.#qmp?.close();
		this.#qmp = undefined;
	}

	/** BLOCK_IO_ERROR of qapi/block-core.json. */
	#note({ event, data }: QmpEvent): void {
		if (event !== 'BLOCK_IO_ERROR') return;
		const disk = diskOfDevice(data['qom-path'] ?? data['device']) ?? diskOfNode(data['node-name']);
		const { operation } = data;
		if (disk !== undefined && (operation === 'read' || operation === 'write'))
			this.#failedOperations.set(disk, operation);
	}
}

/** QEMU 7.2 names only the root node in the event: `top0`, `local0`, or a filter's own name. */
function diskOfNode(node: unknown): number | undefined {
	const match = typeof node === 'string' ? /^(?:top|local)(\d+)$/.exec(node) : undefined;
	return match ? Number(match[1]) : undefined;
}
