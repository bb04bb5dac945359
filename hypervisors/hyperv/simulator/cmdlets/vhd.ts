/** New-VHD, Get-VHD, Set-VHD, Merge-VHD: https://learn.microsoft.com/powershell/module/hyper-v */
import { exists } from '../../../../system/if-there.ts';
import { mebibyte } from '../../../../vhdx/constants.ts';
import { differencingFile } from '../../../../vhdx/differencing-file.ts';
import { dynamicFile } from '../../../../vhdx/dynamic-file.ts';
import type { FileLayout } from '../../../../vhdx/file-layout.ts';
import { fixedFile } from '../../../../vhdx/fixed-file.ts';
import { baseBlockBytes, type Geometry } from '../../../../vhdx/geometry.ts';
import type { ParentLocator } from '../../../../vhdx/parent-locator.ts';
import type { VirtualDisk } from '../../driver/requests.ts';
import { type ChainFile, describeDisk, mustFitParent, openChain } from '../disk-chain.ts';
import { administrator, mustHaveDirectory, openToWrite } from '../host-files.ts';
import { replayLog } from '../log-replay.ts';
import { freshIds, writeNewDisk } from '../new-disk.ts';
import type { HostParts } from '../parts.ts';
import { breaks } from '../rules.ts';
import { VhdxWriter } from '../vhdx-writer.ts';
import { placeOf, relativePath, samePath } from '../windows-paths.ts';
import { cmdlet } from './reached.ts';

const smallestDiskBytes = 3 * mebibyte;
/** Hyper-V merges in pieces of its own; ours bound the memory. */
const mergePieceBytes = mebibyte;

type Sectors = Pick<Geometry, 'logicalSectorBytes' | 'physicalSectorBytes'>;

export async function newVhd(
	host: HostParts,
	wanted: { path: string; sizeBytes: number; type: 'Dynamic' | 'Fixed' } & Sectors,
): Promise<void> {
	await cmdlet(host, 'New-VHD', async () => {
		if (wanted.sizeBytes < smallestDiskBytes) throw breaks('diskTooSmall', 'New-VHD', `${wanted.sizeBytes} bytes.`);
		const { sizeBytes, logicalSectorBytes, physicalSectorBytes } = wanted;
		const disk = { sizeBytes, logicalSectorBytes, physicalSectorBytes, blockBytes: baseBlockBytes, ids: freshIds() };
		const isDynamic = wanted.type === 'Dynamic';
		await makeFile(host, wanted.path, isDynamic ? dynamicFile({ ...disk, isPresent: () => false }) : fixedFile(disk));
	});
}

/** The child takes measures and VirtualDiskId of its parent. */
export async function newDifferencingVhd(host: HostParts, wanted: { path: string; parent: string }): Promise<void> {
	await cmdlet(host, 'New-VHD', async () => {
		const parent = await describeDisk(host, wanted.parent, asAdministrator('New-VHD'));
		const { sizeBytes, logicalSectorBytes, physicalSectorBytes } = parent.vhdx.geometry;
		const ids = { ...freshIds(), virtualDiskId: parent.vhdx.ids.virtualDiskId };
		const layout = differencingFile({
			sizeBytes,
			logicalSectorBytes,
			physicalSectorBytes,
			ids,
			parent: locatorOf(wanted.path, parent),
		});
		await makeFile(host, wanted.path, layout);
	});
}

/**
 * With the parent's path for a differencing disk, as the file has it. Whether it tells that of a parent that is away or was
 * written to is not known: a condition.
 */
export async function getVhd(host: HostParts, path: string): Promise<VirtualDisk & { parentPath: string | undefined }> {
	return await cmdlet(host, 'Get-VHD', async () => {
		const { vhdx } = await describeDisk(host, path, asAdministrator('Get-VHD'));
		const { parent, ids, geometry } = vhdx;
		if (parent && host.faults.conditions.brokenLinksAreUntold) await mustFitParent(host, path, parent, 'Get-VHD');
		const { virtualDiskId } = ids;
		const type = parent ? 'Differencing' : vhdx.type === 'fixed' ? 'Fixed' : 'Dynamic';
		return { path, type, virtualDiskId, sizeBytes: geometry.sizeBytes, parentPath: parent?.absolutePath };
	});
}

/** The DataWriteGuid, which the driver reads from the file itself. */
export async function dataIdOf(host: HostParts, path: string): Promise<string> {
	return (await describeDisk(host, path, asAdministrator('Get-VHD'))).vhdx.ids.dataWriteGuid;
}

/** -ParentPath without -LeafPath: nothing of the chain may be attached. */
export async function setVhdParent(
	host: HostParts,
	wanted: { path: string; parent: string; ignoreIdMismatch: boolean },
): Promise<void> {
	await cmdlet(host, 'Set-VHD', async () => {
		const release = host.openFiles.take(wanted.path, 'write', 'Set-VHD', 'Set-VHD');
		try {
			const child = await describeDisk(host, wanted.path, asAdministrator('Set-VHD'));
			if (child.vhdx.parent === undefined) throw breaks('notDifferencing', 'Set-VHD', wanted.path);
			// It reads the new parent's header, which nobody may be writing.
			host.openFiles.take(wanted.parent, 'read', 'Set-VHD', 'Set-VHD')();
			const parent = await describeDisk(host, wanted.parent, asAdministrator('Set-VHD'));
			if (parent.vhdx.geometry.sizeBytes !== child.vhdx.geometry.sizeBytes)
				throw breaks('sizeMismatch', 'Set-VHD', `${wanted.path} and ${wanted.parent}.`);
			if (!wanted.ignoreIdMismatch && child.vhdx.parent.linkage !== parent.vhdx.ids.dataWriteGuid)
				throw breaks('idMismatch', 'Set-VHD', `${wanted.path} and ${wanted.parent}.`);
			await writingDisk(host, wanted.path, 'Set-VHD', writer => writer.setParent(locatorOf(wanted.path, parent)));
		} finally {
			release();
		}
	});
}

/**
 * A child into its parent; nothing of the chain may be attached. The child stays, and is no longer valid, as is documented.
 * That one that was cut short can be done again is a guess. Whether the parent has another DataWriteGuid before its first write
 * or after the last is not known: a condition.
 */
export async function mergeVhd(host: HostParts, wanted: { path: string; destination: string }): Promise<void> {
	await cmdlet(host, 'Merge-VHD', async () => {
		const options = { ...asAdministrator('Merge-VHD'), write: false };
		const isFirst = host.faults.conditions.mergeChangesIdFirst;
		const child = await openChain(host, wanted.path, options);
		try {
			const [, parent] = child.files;
			if (parent === undefined || !samePath(parent.path, wanted.destination))
				throw breaks('notDifferencing', 'Merge-VHD', `${wanted.path} stands on ${parent?.path ?? 'nothing'}.`);
			await writingDisk(host, wanted.destination, 'Merge-VHD', async writer => {
				if (isFirst) await writer.setDataWriteGuid(freshIds().dataWriteGuid);
				for await (const { atBytes, lengthBytes } of child.ownPieces())
					for (let done = 0; done < lengthBytes; done += mergePieceBytes) {
						const piece = await child.read(atBytes + done, Math.min(mergePieceBytes, lengthBytes - done));
						await writer.write(atBytes + done, piece);
						await host.faults.reach('Merge-VHD piece', 'Merge-VHD');
					}
			});
		} finally {
			await child.close();
		}
		if (isFirst) return;
		await writingDisk(host, wanted.destination, 'Merge-VHD', writer =>
			writer.setDataWriteGuid(freshIds().dataWriteGuid),
		);
	});
}

async function makeFile(host: HostParts, path: string, layout: FileLayout): Promise<void> {
	const place = placeOf(host.root, path);
	await mustHaveDirectory(host, path, 'New-VHD');
	if (await exists(place)) throw breaks('fileExists', 'New-VHD', path);
	if (layout.fileSizeBytes > host.faults.conditions.freeBytes) throw breaks('diskFull', 'New-VHD', path);
	await writeNewDisk(place, layout);
}

async function writingDisk(
	host: HostParts,
	path: string,
	name: string,
	work: (writer: VhdxWriter) => Promise<void>,
): Promise<void> {
	await replayLog(placeOf(host.root, path));
	const file = await openToWrite(host, path, asAdministrator(name));
	try {
		await work(await VhdxWriter.open(file));
	} finally {
		await file.close();
	}
}

/** As Hyper-V writes it: relative where both are on one drive, and absolute without `\\?\`. */
function locatorOf(child: string, parent: ChainFile): ParentLocator {
	const relative = relativePath(child, parent.path);
	return {
		linkage: parent.vhdx.ids.dataWriteGuid,
		...(relative !== undefined && { relativePath: relative }),
		absolutePath: parent.path,
	};
}

function asAdministrator(name: string): { cmdlet: string; account: typeof administrator; who: string } {
	return { cmdlet: name, account: administrator, who: name };
}
