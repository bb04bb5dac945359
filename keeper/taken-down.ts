/**
 * Whether services are down because somebody said so. Who stays with them starts a keeper again that has ended by itself, and
 * at a boot that may be so early that none of them runs yet. All is called under the lock of `up` and `down`.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../system/durable-file.ts';
import { exists } from '../system/if-there.ts';
import { places } from '../system/installation.ts';
import { runningServices } from './services.ts';

const markOf = (home: string) => join(places.services(home), 'taken-down');

/** In a home that never had services nothing is made. */
export async function noteTakenDown(home: string): Promise<void> {
	try {
		await writeFile(markOf(home), '');
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw error;
	}
}

export async function forgetTakenDown(home: string): Promise<void> {
	await rm(markOf(home), { force: true });
}

/** Not by a `down` that died on its way. */
export async function wereTakenDown(home: string): Promise<boolean> {
	return (await exists(markOf(home))) && (await runningServices(home)).length === 0;
}
