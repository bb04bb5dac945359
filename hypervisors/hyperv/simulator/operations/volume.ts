import type { AnswerOf, RequestOf, VirtualDisk } from '../../driver/requests.ts';
import {
	addAccessPath,
	connectTarget,
	disconnectTarget,
	getDisk,
	removeAccessPath,
	setDiskOnline,
} from '../cmdlets/iscsi.ts';
import { getVhd } from '../cmdlets/vhd.ts';
import type { HostParts } from '../parts.ts';

export async function connectVolume(
	host: HostParts,
	request: RequestOf<'connect-volume'>,
): Promise<AnswerOf<'connect-volume'>> {
	const { portal, iqn, chapUser, chapSecret, diskGuid, partitionGuid, accessPath, files } = request;
	await connectTarget(host, { portal, iqn, chapUser, chapSecret });
	const diskNumber = await getDisk(host, diskGuid);
	await setDiskOnline(host, diskGuid);
	await addAccessPath(host, { path: accessPath, iqn, diskGuid, partitionGuid });
	const found: VirtualDisk[] = [];
	for (const path of files) {
		const { parentPath: _none, ...file } = await getVhd(host, path);
		found.push(file);
	}
	return { diskNumber, files: found };
}

export async function disconnectVolume(
	host: HostParts,
	{ iqn, accessPath }: RequestOf<'disconnect-volume'>,
): Promise<AnswerOf<'disconnect-volume'>> {
	const disconnected = await disconnectTarget(host, iqn);
	await removeAccessPath(host, accessPath);
	return { disconnected };
}
