/** [IO.File] of .NET. Durable: a guess that it is, when the file is flushed afterwards. */
import { copyFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../../../../system/durable-file.ts';
import type { HostParts } from '../parts.ts';
import { keyOfPath, placeOf } from '../windows-paths.ts';
import { cmdlet } from './reached.ts';

/** Move. What the file's rights are goes with it. */
export async function moveItem(host: HostParts, from: string, to: string): Promise<void> {
	await cmdlet(host, 'Move-Item', () => move(host, from, to));
}

/** Copy: the new file has the rights of its directory. */
export async function copyItem(host: HostParts, from: string, to: string): Promise<void> {
	await cmdlet(host, 'Copy-Item', () => copyFile(placeOf(host.root, from), placeOf(host.root, to)));
}

/**
 * Replace: two renames, between which nothing is at the place, as is documented of errors. The file that comes gets the
 * rights of the one that goes: https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-replacefilew
 */
export async function replaceItem(
	host: HostParts,
	{ from, to, aside }: { from: string; to: string; aside: string },
): Promise<void> {
	await cmdlet(host, 'Replace', async () => {
		for (const path of [from, to]) host.openFiles.take(path, 'delete', 'Replace', 'Replace')();
		const rights = host.state.access[keyOfPath(to)];
		await move(host, to, aside);
		await host.faults.reach('Replace half', 'Replace');
		await move(host, from, to);
		if (rights) host.state.access[keyOfPath(to)] = rights;
		await host.store.save();
	});
}

async function move(host: HostParts, from: string, to: string): Promise<void> {
	host.openFiles.take(from, 'delete', 'Move', 'Move')();
	await rename(placeOf(host.root, from), placeOf(host.root, to));
	const { access } = host.state;
	const rights = access[keyOfPath(from)];
	if (rights) access[keyOfPath(to)] = rights;
	delete access[keyOfPath(from)];
	await syncDirectory(dirname(placeOf(host.root, to)));
	await host.store.save();
}
