import { rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory } from '../../../../system/durable-file.ts';
import type { HostParts } from '../parts.ts';
import { placeOf } from '../windows-paths.ts';
import { cmdlet } from './reached.ts';

/** [IO.File]::Move, durable: a guess that it is, when the file is flushed afterwards. */
export async function moveItem(host: HostParts, from: string, to: string): Promise<void> {
	await cmdlet(host, 'Move-Item', async () => {
		await rename(placeOf(host.root, from), placeOf(host.root, to));
		await syncDirectory(dirname(placeOf(host.root, to)));
	});
}
