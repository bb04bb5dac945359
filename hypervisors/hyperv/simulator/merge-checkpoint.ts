/**
 * What VMMS does after Remove-VMSnapshot: the differencing disk goes into what it stands on, while the machine runs or is off,
 * and again from its beginning after a boot. That it goes on by itself is told of real hosts; the path that it merges into
 * is a guess: the one that the file names, which is the one that the checkpoint's configuration has as well. So is that it goes
 * on when somebody removes the machine.
 */
import { randomUUID } from 'node:crypto';
import { copyFile, rm } from 'node:fs/promises';
import { asRouseError } from '../../../model/errors.ts';
import { openVhdx } from '../../../vhdx/open.ts';
import { VhdxDisk } from '../../../vhdx/disk.ts';
import { DiskFile } from './disk-file.ts';
import { openChain } from './disk-chain.ts';
import { accountOf, grantAccess } from './host-files.ts';
import type { HostParts } from './parts.ts';
import type { RunningVm } from './running-vm.ts';
import type { Drive, Vm } from './state.ts';
import { VhdxWriter } from './vhdx-writer.ts';
import { directoryOf, placeOf } from './windows-paths.ts';

const pieceBytes = 2 ** 20;
const name = 'Remove-VMSnapshot';

interface Merged {
	drive: Drive;
	leaf: string;
	into: string;
}

/** Resolved in `host.merges` when it has ended, well or not. */
export function mergeInBackground(host: HostParts, vm: Vm): void {
	const before = host.merges.get(vm.vmId);
	const merge = async () => {
		await before;
		// What fails is left as it is: VMMS tries again when it starts, which is when Windows does.
		await mergeAll(host, vm).catch(() => undefined);
	};
	host.merges.set(vm.vmId, merge());
}

async function mergeAll(host: HostParts, vm: Vm): Promise<void> {
	if (!vm.merging) return;
	const merged: Merged[] = [];
	for (const drive of vm.drives) {
		const into = await mergedInto(host, drive.path);
		if (into !== undefined) merged.push({ drive, leaf: drive.path, into });
	}
	const paths = merged.flatMap(({ leaf, into }) => [leaf, into]);
	const releases = paths.map(path => host.openFiles.take(path, 'merge', 'VMMS, which merges it', name));
	try {
		await mergeDisks(host, vm, merged);
	} finally {
		for (const release of releases) release();
	}
}

async function mergeDisks(host: HostParts, vm: Vm, merged: readonly Merged[]): Promise<void> {
	for (const { leaf, into } of merged) await copyLive(host, leaf, into);
	const running = host.running.get(vm.vmId);
	const finish = async () => {
		// What the guest has written meanwhile.
		for (const { leaf, into } of merged) await copyPieces(host, leaf, into, { live: false });
		for (const { drive, into } of merged) drive.path = into;
		for (const { leaf, into } of merged) rename(running?.unflushed ?? vm.saved?.unflushed ?? [], leaf, into);
		vm.merging = false;
		await host.store.save();
		for (const { leaf } of merged) await rm(placeOf(host.root, leaf), { force: true });
	};
	if (running === undefined || running.hasEnded) await finish();
	else
		await running.alone(async () => {
			await finish();
			for (const { leaf, into } of merged) await reopen(host, vm, running, leaf, into);
		});
}

/** The file that it names; undefined for one that stands on none. */
async function mergedInto(host: HostParts, leaf: string): Promise<string | undefined> {
	await using file = await opened(host, leaf, 'r');
	const parent = (await openVhdx(file.disk)).parent?.absolutePath;
	if (parent === undefined || !host.faults.conditions.checkpointsMergeElsewhere) return parent;
	const other = `${directoryOf(parent)}\\${randomUUID()}.vhdx`;
	await copyFile(placeOf(host.root, parent), placeOf(host.root, other));
	return other;
}

/** The guest may write into its tables while they are read: what that spoils is copied once it stands still. */
async function copyLive(host: HostParts, leaf: string, into: string): Promise<void> {
	try {
		await copyPieces(host, leaf, into, { live: true });
	} catch (error) {
		if (asRouseError(error).code !== 'source_invalid') throw error;
	}
}

/** What the leaf says something of. It is read without its parent, whose id of content changes meanwhile. */
async function copyPieces(host: HostParts, leaf: string, into: string, { live }: { live: boolean }): Promise<void> {
	await using from = await opened(host, leaf, 'r');
	await using to = await opened(host, into, 'r+');
	const disk = new VhdxDisk({ ...(await openVhdx(from.disk)), parent: undefined });
	const writer = await VhdxWriter.open(to.disk);
	if (live) await writer.setDataWriteGuid(randomUUID());
	for await (const { atBytes, lengthBytes, in: place } of disk.locate(0, disk.sizeBytes)) {
		if (place.kind === 'parent') continue;
		for (let done = 0; done < lengthBytes; done += pieceBytes) {
			if (live) await host.faults.reach('merge piece', name);
			if (!host.store.hasPower) throw new Error('nothing merges any more');
			const piece = await disk.read(atBytes + done, Math.min(pieceBytes, lengthBytes - done));
			await writer.write(atBytes + done, piece);
		}
	}
}

/** The machine has it open alone from then on. */
async function reopen(host: HostParts, vm: Vm, running: RunningVm, leaf: string, into: string): Promise<void> {
	const disk = running.disks.find(({ path }) => path === leaf);
	if (disk === undefined) return;
	await disk.chain.close();
	await grantAccess(host, into, accountOf(vm.vmId));
	const options = { cmdlet: name, account: accountOf(vm.vmId), who: `machine ${vm.name}`, write: true };
	disk.chain = await openChain(host, into, options);
	disk.path = into;
}

function rename(unflushed: { disk: string }[], from: string, to: string): void {
	for (const write of unflushed) if (write.disk === from) write.disk = to;
}

async function opened(
	{ root }: HostParts,
	path: string,
	mode: 'r' | 'r+',
): Promise<{ disk: DiskFile; [Symbol.asyncDispose](): Promise<void> }> {
	const disk = await DiskFile.open(placeOf(root, path), path, mode);
	return { disk, [Symbol.asyncDispose]: () => disk.close() };
}
