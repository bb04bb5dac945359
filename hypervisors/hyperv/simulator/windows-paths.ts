import { join } from 'node:path';

/** As NTFS compares them: in any case. */
export function samePath(one: string, other: string): boolean {
	return keyOfPath(one) === keyOfPath(other);
}

export function keyOfPath(path: string): string {
	return path.replace(/\\+$/, '').toLowerCase();
}

/** Whether a path is in a directory, however deep. */
export function isWithin(path: string, directory: string): boolean {
	return keyOfPath(path).startsWith(`${keyOfPath(directory)}\\`);
}

export function directoryOf(path: string): string {
	return path.slice(0, path.lastIndexOf('\\'));
}

export function nameOf(path: string): string {
	return path.slice(path.lastIndexOf('\\') + 1);
}

/** Where the simulated host keeps the file: `D:\Rouse\x` in `<root>/D/Rouse/x`. Case counts there, and Rouse keeps to one. */
export function placeOf(root: string, path: string): string {
	const [drive = '', ...parts] = path.split('\\').filter(part => part !== '');
	if (parts.some(part => part === '.' || part === '..')) throw new RangeError(`${path} is no absolute path`);
	return join(root, drive.replace(':', ''), ...parts);
}

/** From the directory of a child to its parent, where both are on one drive: `..\base.vhdx`, as locators have it. */
export function relativePath(from: string, to: string): string | undefined {
	const [one, other] = [directoryOf(from).split('\\'), to.split('\\')];
	if (keyOfPath(one[0] ?? '') !== keyOfPath(other[0] ?? '')) return undefined;
	let shared = 0;
	while (shared < one.length && shared < other.length - 1 && samePath(one[shared] ?? '', other[shared] ?? '')) shared++;
	const up = one.slice(shared).map(() => '..');
	return [...(up.length === 0 ? ['.'] : up), ...other.slice(shared)].join('\\');
}

/** Where sshd of Windows looks for the keys of administrators, in the directory of the host's drives. */
export function administratorsKeys(root: string): string {
	return placeOf(root, 'C:\\ProgramData\\ssh\\administrators_authorized_keys');
}
