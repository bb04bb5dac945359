/** Connect- and Disconnect-IscsiTarget, Get-Disk, Set-Disk, Add-PartitionAccessPath: modules iscsi and storage. */
import { makeDirectory } from '../host-files.ts';
import type { HostParts } from '../parts.ts';
import { breaks } from '../rules.ts';
import type { AccessPath } from '../state.ts';
import type { Login } from '../volumes.ts';
import { samePath } from '../windows-paths.ts';
import { cmdlet } from './reached.ts';

/** Get-IscsiSession, looked at until it is connected or the time is over; undefined when there is none. */
export async function isConnected(host: HostParts, iqn: string, withinMs: number): Promise<boolean | undefined> {
	return await cmdlet(host, 'Get-IscsiSession', async () => await host.sessions.get(iqn)?.isConnected(withinMs));
}

export async function connectTarget(host: HostParts, login: Login): Promise<void> {
	await cmdlet(host, 'Connect-IscsiTarget', async () => {
		const disk = await host.settings.initiator.connect(login);
		disk.onBack(() => resumeCritical(host));
		host.sessions.set(login.iqn, disk);
	});
}

/** Get-Disk by the GUID of its partition table. Its number is its place among those that are there. */
export async function getDisk(host: HostParts, diskGuid: string): Promise<number> {
	return await cmdlet(host, 'Get-Disk', async () => {
		const number = [...host.sessions.values()].findIndex(disk => disk.diskGuid === diskGuid);
		if (number === -1) throw breaks('noSuchDisk', 'Get-Disk', diskGuid);
		// 0 is the disk of Windows itself.
		return number + 1;
	});
}

/** -IsOffline, -IsReadOnly. Windows remembers it. Whoever has files of a disk open that is set offline loses them: told. */
export async function setDisk(host: HostParts, diskGuid: string, { online }: { online: boolean }): Promise<void> {
	await cmdlet(host, 'Set-Disk', async () => {
		const paths = host.state.accessPaths.filter(one => one.diskGuid === diskGuid);
		// A write that is not answered is lost in the end, and an event of the log says so: Microsoft-Windows-Ntfs 140.
		if (!online) for (const { iqn, partitionGuid } of paths) await host.sessions.get(iqn)?.writeBack(partitionGuid);
		const others = host.state.onlineDisks.filter(one => one !== diskGuid);
		host.state.onlineDisks = online ? [...others, diskGuid] : others;
		await host.store.save();
	});
}

/** MAY find it there. */
export async function addAccessPath(host: HostParts, access: AccessPath): Promise<void> {
	await cmdlet(host, 'Add-PartitionAccessPath', async () => {
		const isOnline = !host.faults.conditions.newDisksOffline || host.state.onlineDisks.includes(access.diskGuid);
		if (!isOnline) throw breaks('writeProtected', 'Add-PartitionAccessPath', `disk ${access.diskGuid} is offline.`);
		if (host.state.accessPaths.some(one => samePath(one.path, access.path) && one.iqn === access.iqn)) return;
		await makeDirectory(host, access.path);
		if ((await host.sessions.get(access.iqn)?.writeBack(access.partitionGuid)) === false)
			throw breaks('deviceNotReady', 'Add-PartitionAccessPath', access.path);
		const others = host.state.accessPaths.filter(one => !samePath(one.path, access.path));
		host.state.accessPaths = [...others, access];
		await host.store.save();
	});
}

/** MAY find none. */
export async function removeAccessPath(host: HostParts, path: string): Promise<void> {
	await cmdlet(host, 'Remove-PartitionAccessPath', async () => {
		host.state.accessPaths = host.state.accessPaths.filter(one => !samePath(one.path, path));
		await host.store.save();
	});
}

/** False when there is none. */
export async function disconnectTarget(host: HostParts, iqn: string): Promise<boolean> {
	return await cmdlet(host, 'Disconnect-IscsiTarget', async () => {
		const disk = host.sessions.get(iqn);
		if (disk === undefined) return false;
		const paths = host.state.accessPaths.filter(one => one.iqn === iqn);
		if (isAnyInUse(host, paths)) throw breaks('sessionInUse', 'Disconnect-IscsiTarget', iqn);
		host.sessions.delete(iqn);
		await disk.close();
		return true;
	});
}

function isAnyInUse({ openFiles }: HostParts, paths: readonly AccessPath[]): boolean {
	return paths.some(({ path }) => openFiles.isAnyOpenIn(path));
}

/**
 * Storage resiliency: a machine that was paused because of its storage goes on when that is back. Documented for Server 2016
 * and later, of storage in general: https://learn.microsoft.com/windows-server/virtualization/hyper-v/what-s-new-in-hyper-v-on-windows
 */
function resumeCritical({ running, faults }: HostParts): void {
	if (!faults.conditions.resumesByItself) return;
	for (const vm of running.values()) if (vm.state === 'PausedCritical') vm.change(() => (vm.state = 'Running'));
}
