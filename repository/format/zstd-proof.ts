import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { allowZstdHandles, zstdProofVariable } from './zstd.ts';

const selfTestMs = 20_000;

let proving: Promise<boolean> | undefined;

/**
 * Lets zstd's handles be used again in this program and those that it starts, when a child shows that they do what they should
 * (zstd.ts); else all goes on by the slower call, for good. For programs that read or write chunks, before they do.
 */
export function proveZstdHandles(): Promise<boolean> {
	if (process.env[zstdProofVariable] === process.version) return Promise.resolve(true);
	proving ??= selfTest().then(proved => {
		if (proved) allowZstdHandles();
		return proved;
	});
	return proving;
}

/** Whatever it ends with but success is an answer: that handles are not used. */
function selfTest(): Promise<boolean> {
	const path = fileURLToPath(new URL('zstd-self-test.ts', import.meta.url));
	const { promise, resolve } = Promise.withResolvers<boolean>();
	try {
		execFile(process.execPath, [path], { timeout: selfTestMs }, error => resolve(error === null));
	} catch {
		resolve(false); // no memory or descriptor for a child is thrown at once
	}
	return promise;
}
