import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { serveRestorePoint } from '../../movers/mount-mover/serve-restore-point.ts';
import { nbdUri } from '../../nbd/protocol/uri.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { openRepository } from '../../repository/repository.ts';
import { RetryingChunkSource } from '../../repository/retrying-chunk-source.ts';
import { systemClock } from '../../system/clock.ts';
import { temporaryDirectory } from './captive.ts';
import { type StoredDisk, storeDisk } from './stored-disk.ts';

export interface ServedDisk extends StoredDisk {
	socket: string;
	uri: string;
	/** The bytes again, as a file to compare with. */
	originalPath: string;
	scratch: string;
}

/** Stores a disk and serves it to NBD clients, as `rouse nbd serve` does, for as long as the test runs. */
export async function serveDisk(t: Pick<TestContext, 'after'>, bytes: Buffer): Promise<ServedDisk> {
	const scratch = await temporaryDirectory(t);
	const stored = await storeDisk(join(scratch, 'repository'), bytes);
	const originalPath = join(scratch, 'original.raw');
	await writeFile(originalPath, bytes);
	const repository = await openRepository(stored.directory);
	const ending = new AbortController();
	const socket = join(scratch, 'nbd.sock');
	const served = await serveRestorePoint({
		socketPath: socket,
		disks: [{ name: 'disk0', image: stored.image }],
		source: new RetryingChunkSource(new DirectChunkSource(repository.store), systemClock),
		clock: systemClock,
		title: 'sample',
		signal: ending.signal,
	});
	t.after(async () => {
		ending.abort();
		await served.ended;
		await repository.store.close();
	});
	return { ...stored, socket, uri: nbdUri(socket, 'disk0'), originalPath, scratch };
}

/** Runs a program to its end and returns its standard output; a failure is thrown with what it said. */
export async function run(program: string, args: readonly string[]): Promise<string> {
	const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 64 * 1024 * 1024, timeout: 120_000 });
	return stdout;
}
