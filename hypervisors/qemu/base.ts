/** The mount mover's disks, as QEMU opens them. */
import { asRouseError, RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { NbdClient } from '../../nbd/client/client.ts';
import { waitFor } from '../../system/wait.ts';
import type { MachineDefinition, MachineDisk } from '../contract.ts';
import { allDone } from './all-done.ts';
import type { QemuHost } from './host.ts';

type Exports = Pick<QemuHost, 'quorum'>;

/** A mover that was killed is started again, as long as the gate is passed. */
const moverStartsMs = 5_000;

/** Resolves when every export can be opened and is its disk by its size; `mover_unreachable` when not. */
export async function checkBase(
	definition: MachineDefinition,
	host: Exports,
	signal: AbortSignal | undefined,
): Promise<void> {
	let last: unknown;
	const opened = async () => {
		try {
			await allDone(definition.disks.map(disk => checkDisk(definition, disk, host, signal)));
			return true;
		} catch (error) {
			if (asRouseError(error).code !== 'mover_unreachable') throw error;
			last = error;
			return false;
		}
	};
	try {
		await waitFor("the mount mover's disks", opened, { timeoutMs: moverStartsMs, everyMs: 100, signal });
	} catch (error) {
		throw asRouseError(error).code === 'timeout' && last !== undefined ? last : error;
	}
}

/** The same for one disk, without any patience. Over the wire: a program each time would cost more than the snapshot. */
export async function checkDisk(
	definition: MachineDefinition,
	disk: MachineDisk,
	host: Exports,
	signal: AbortSignal | undefined,
): Promise<void> {
	const { now, wait } = disk.exports;
	await allDone(
		(host.quorum ? [now, wait] : [wait]).map(async name => {
			const sizeBytes = await exportSize(definition.nbdSocket, name, signal);
			// The export has the exact size of the source, the machine's disk that size in whole sectors.
			if (Math.ceil(sizeBytes / 512) * 512 !== disk.sizeBytes)
				throw unreachable(
					`the export ${name} has ${exactBytes(sizeBytes)}, ${disk.name} has ${exactBytes(disk.sizeBytes)}`,
				);
		}),
	);
}

async function exportSize(socketPath: string, exportName: string, signal: AbortSignal | undefined): Promise<number> {
	try {
		const client = await NbdClient.open(
			{ address: { path: socketPath }, exportName },
			signal ?? new AbortController().signal,
		);
		await client.close();
		return client.sizeBytes;
	} catch (cause) {
		signal?.throwIfAborted();
		throw unreachable(
			`the export ${exportName} at ${socketPath} cannot be opened: ${asRouseError(cause).message}`,
			cause,
		);
	}
}

function unreachable(message: string, cause?: unknown): RouseError {
	return new RouseError('mover_unreachable', message, { cause });
}
