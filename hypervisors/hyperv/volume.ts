/** The volume on which the Windows host finds a VHDX of each disk, as the mount mover serves it. */
import { rm } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { NbdClient } from '../../nbd/client/client.ts';
import { removeFileDurably } from '../../system/durable-file.ts';
import { waitFor } from '../../system/wait.ts';
import type { VolumeRequest } from '../../volume/description.ts';
import { type VolumeFiles, volumeRequestOf } from '../../volume/disk-files.ts';
import { ensureVolume, readVolume, volumePaths } from '../../volume/ensure-volume.ts';
import { checkVolumeFits } from '../../volume/fits.ts';
import { asRouseError } from '../../model/errors.ts';
import type { CallOptions } from '../contract.ts';
import { diskHardware, type HypervHardware } from './hardware.ts';
import type { MachineParts } from './parts.ts';
import { type MachineRecord, ofTargets, records, targetIds, targetRecords } from './record.ts';

/** At the mount mover's NBD server. */
export const volumeExportName = 'volume';

/** A mover that was killed is started again, as long as the gate is passed. */
const moverStartsMs = 5_000;

/** Throws `precheck_failed` when the file system of `directory` has no files as large as a volume of these disks. */
export async function checkVolumeRoom(
	directory: string,
	{ sizesBytes, hardware }: { sizesBytes: readonly number[]; hardware: HypervHardware },
): Promise<void> {
	const anyIds = { diskGuid: '', partitionGuid: '' };
	const disks = sizesBytes.map((sizeBytes, at) => ({
		sizeBytes,
		sectors: diskHardware({ hardware }, { name: `disk${at}` }),
	}));
	await checkVolumeFits(directory, volumeRequestOf(anyIds, disks));
}

export async function makeVolume(parts: MachineParts, { volume }: MachineRecord, options: CallOptions): Promise<void> {
	await ensureVolume(parts.definition.directory, requestOf(parts, volume), options);
}

/** See `Machine.volume`. */
export async function servedVolume(parts: MachineParts): Promise<VolumeFiles | undefined> {
	const { definition, paths } = parts;
	const record = await records.read(definition, paths);
	if (record === undefined) return undefined;
	const ids = await targetIds(definition, paths);
	const { placeholderIds } = await targetRecords.of(definition, ofTargets(paths));
	const files = definition.disks.map((disk, at) => {
		const { logicalSectorBytes, physicalSectorBytes } = diskHardware(parts, disk);
		const written = record.volume.files[at];
		const virtualDiskId = ids[at];
		if (written === undefined || virtualDiskId === undefined)
			throw new RouseError('internal', `no ids are on record for ${disk.name}`);
		// What was made over a placeholder fits the file on the volume as well.
		const dataWriteGuid = placeholderIds[at] ?? written.dataWriteGuid;
		return { ids: { ...written, dataWriteGuid, virtualDiskId }, sectors: { logicalSectorBytes, physicalSectorBytes } };
	});
	return { directory: definition.directory, files };
}

/** Resolves when the export is there and is this volume; `mover_unreachable` when not. */
export async function checkServed({ definition }: MachineParts, { signal }: CallOptions): Promise<void> {
	const volume = await readVolume(definition.directory);
	if (volume === undefined) throw new RouseError('phase_wrong', `no volume was made in ${definition.directory}`);
	let last: RouseError | undefined;
	const served = async () => {
		last = await problemOf(definition.nbdSocket, volume.sizeBytes, signal);
		return last === undefined;
	};
	try {
		await waitFor("the mount mover's volume", served, { timeoutMs: moverStartsMs, everyMs: 100, signal });
	} catch (error) {
		throw asRouseError(error).code === 'timeout' && last !== undefined ? last : error;
	}
}

/** Whether the mount mover serves it at this moment. */
export async function isServed({ definition }: MachineParts): Promise<boolean> {
	const volume = await readVolume(definition.directory);
	return volume !== undefined && (await problemOf(definition.nbdSocket, volume.sizeBytes)) === undefined;
}

export async function removeVolume({ definition }: MachineParts): Promise<void> {
	const { image, description } = volumePaths(definition.directory);
	await removeFileDurably(description);
	await rm(image, { force: true });
}

async function problemOf(
	path: string,
	sizeBytes: number,
	signal = new AbortController().signal,
): Promise<RouseError | undefined> {
	let found: number;
	try {
		const client = await NbdClient.open({ address: { path }, exportName: volumeExportName }, signal);
		await client.close();
		found = client.sizeBytes;
	} catch (cause) {
		signal.throwIfAborted();
		const why = asRouseError(cause).message;
		return new RouseError('mover_unreachable', `the volume at ${path} cannot be opened: ${why}`, { cause });
	}
	if (found === sizeBytes) return undefined;
	const what = `the volume at ${path} has ${exactBytes(found)}, and was made with ${exactBytes(sizeBytes)}`;
	return new RouseError('mover_unreachable', what);
}

function requestOf(parts: MachineParts, ids: Pick<VolumeRequest, 'diskGuid' | 'partitionGuid'>): VolumeRequest {
	const disks = parts.definition.disks.map(disk => ({
		sizeBytes: disk.sizeBytes,
		sectors: diskHardware(parts, disk),
	}));
	return volumeRequestOf(ids, disks);
}
