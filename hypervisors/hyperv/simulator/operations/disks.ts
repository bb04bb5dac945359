import type { VirtualDisk } from '../../driver/requests.ts';
import { moveItem } from '../cmdlets/files.ts';
import { getVhd } from '../cmdlets/vhd.ts';
import { removeFile } from '../host-files.ts';
import type { HostParts } from '../parts.ts';
import { DriverRefusal } from './failure.ts';

export async function mustBeDisk(host: HostParts, path: string, wanted: string): Promise<void> {
	const { virtualDiskId } = await getVhd(host, path);
	if (virtualDiskId === wanted) return;
	throw new DriverRefusal('identity_conflict', `${path} is disk ${virtualDiskId}, not ${wanted}`);
}

/** The leaf first. */
export async function filesBelow(host: HostParts, leaf: string): Promise<VirtualDisk[]> {
	const files: VirtualDisk[] = [];
	for (let next: string | undefined = leaf; next !== undefined; ) {
		const { parentPath, ...file }: Awaited<ReturnType<typeof getVhd>> = await getVhd(host, next);
		files.push(file);
		next = parentPath;
	}
	return files;
}

/** Under another name first, since New-VHD may die in the middle. */
export async function makeWhole(host: HostParts, path: string, make: (path: string) => Promise<void>): Promise<void> {
	const unfinished = `${path}.new.vhdx`;
	await removeFile(host, unfinished);
	await make(unfinished);
	await moveItem(host, unfinished, path);
}
