import type { AnswerOf, RequestOf, VirtualDisk } from '../../driver/requests.ts';
import {
	addAccessPath,
	connectTarget,
	disconnectTarget,
	getDisk,
	isConnected,
	removeAccessPath,
	setDisk,
} from '../cmdlets/iscsi.ts';
import { getVhd } from '../cmdlets/vhd.ts';
import { isThere, removeEmptyDirectory } from '../host-files.ts';
import type { HostParts } from '../parts.ts';
import { isWithin } from '../windows-paths.ts';
import { DriverRefusal } from './failure.ts';
import { findMachine } from './find-machine.ts';

/** How long the driver looks whether a session that is lost comes back by itself. */
const comesBackMs = 60_000;

export async function connectVolume(
	host: HostParts,
	request: RequestOf<'connect-volume'>,
): Promise<AnswerOf<'connect-volume'>> {
	const { portal, iqn, chapUser, chapSecret, diskGuid, partitionGuid, accessPath, files } = request;
	const connected = await isConnected(host, iqn, comesBackMs);
	if (connected === false) await disconnectTarget(host, iqn);
	if (!connected) await connectTarget(host, { portal, iqn, chapUser, chapSecret });
	const diskNumber = await getDisk(host, diskGuid);
	await setDisk(host, diskGuid, { online: true });
	await addAccessPath(host, { path: accessPath, iqn, diskGuid, partitionGuid });
	const found: VirtualDisk[] = [];
	for (const path of files) {
		if (!(await isThere(host, path))) throw new DriverRefusal('not_there', `${path} did not come`);
		const { parentPath: _none, ...file } = await getVhd(host, path);
		found.push(file);
	}
	return { diskNumber, files: found };
}

/** From the outside in: the directory, the disk, the session. */
export async function disconnectVolume(
	host: HostParts,
	{ recoveryId, iqn, accessPath }: RequestOf<'disconnect-volume'>,
): Promise<AnswerOf<'disconnect-volume'>> {
	await mustBeNobodys(host, recoveryId, accessPath);
	const disk = host.sessions.get(iqn);
	if (disk) await setDisk(host, disk.diskGuid, { online: false });
	await removeAccessPath(host, accessPath);
	const disconnected = await disconnectTarget(host, iqn);
	await removeEmptyDirectory(host, accessPath);
	return { disconnected };
}

/** Set-Disk would take the volume from a guest that runs. */
async function mustBeNobodys(host: HostParts, recoveryId: string, accessPath: string): Promise<void> {
	const vm = await findMachine(host, recoveryId);
	if (vm === undefined || !host.running.has(vm.vmId)) return;
	for (const { path } of vm.drives) {
		const { parentPath } = await getVhd(host, path);
		if (parentPath !== undefined && isWithin(parentPath, accessPath))
			throw new DriverRefusal('state_wrong', `${vm.name} still stands on the volume`);
	}
}
