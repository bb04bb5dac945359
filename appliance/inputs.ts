import { createHash, type Hash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkoutDirectory } from '../system/checkout.ts';
import { projectFiles, projectFolders } from './rouse-files.ts';

/** Files of the appliance's own, laid over Debian's. */
export const rootFilesDirectory = join(checkoutDirectory, 'appliance', 'root');

/**
 * SHA-256 of what an image is made of, but for Debian: what its mirrors have today is not known before it was fetched. The
 * packages are those of package-lock.json.
 */
export async function hashInputs(): Promise<string> {
	const hash = createHash('sha256').update(process.version);
	for (const folder of projectFolders)
		for (const path of await filesUnder(join(checkoutDirectory, folder))) await addFile(hash, path);
	for (const name of projectFiles) await addFile(hash, join(checkoutDirectory, name));
	return hash.digest('hex');
}

async function addFile(hash: Hash, path: string): Promise<void> {
	const bytes = await readFile(path);
	hash.update(`${path.slice(checkoutDirectory.length)}\0${bytes.length}\0`).update(bytes);
}

async function filesUnder(directory: string): Promise<string[]> {
	const entries = await readdir(directory, { recursive: true, withFileTypes: true });
	return entries
		.filter(entry => entry.isFile())
		.map(entry => join(entry.parentPath, entry.name))
		.toSorted();
}

/** A UUID (RFC 9562, version 8) that is this image's, and the same when it is built again. */
export function uuidOf(inputs: string, what: string): string {
	const digest = createHash('sha256').update(`${inputs}\0${what}`).digest();
	digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x80, 6);
	digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8);
	const hex = digest.toString('hex');
	return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}
