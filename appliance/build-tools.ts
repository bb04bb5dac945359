import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { programPath } from '../system/program-path.ts';

/** Programs that make an image, and Debian's packages that bring them. */
const buildTools: Readonly<Record<string, string>> = {
	mmdebstrap: 'mmdebstrap',
	unshare: 'util-linux',
	'mkfs.xfs': 'xfsprogs',
	mke2fs: 'e2fsprogs',
	'mkfs.vfat': 'dosfstools',
	mcopy: 'mtools',
	sfdisk: 'fdisk',
};

/** Those that make an image. */
export const imageTools: readonly string[] = Object.keys(buildTools);
/** Those that make a seed disk. */
export const seedTools: readonly string[] = ['mkfs.vfat', 'mcopy'];

/** Throws `tool_missing` before minutes of work, with the line that installs all that is missing. */
export async function checkBuildTools(names: readonly string[]): Promise<void> {
	const there = await Promise.all(names.map(isThere));
	const missing = names.filter((_, at) => !there[at]);
	if (missing.length === 0) return;
	throw new RouseError('tool_missing', `not installed: ${missing.join(', ')}`, { hint: installing(missing) });
}

/** The command that installs what brings these programs. */
export function installing(names: readonly string[]): string {
	return `apt-get install ${names.map(name => buildTools[name] ?? name).join(' ')}`;
}

async function isThere(name: string): Promise<boolean> {
	for (const directory of programPath().split(delimiter))
		if (
			await access(join(directory, name), constants.X_OK).then(
				() => true,
				() => false,
			)
		)
			return true;
	return false;
}
