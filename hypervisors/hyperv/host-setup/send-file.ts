/** A file to the host, by sftp of the OpenSSH client: under another name, and taken when its digest is right. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../../../model/errors.ts';
import { runTool } from '../../../system/run-tool.ts';
import type { Driver } from '../driver/driver.ts';
import { type OperatorDestination, sftpArguments } from '../../../system/ssh-destination.ts';
import { sshFailure } from '../driver/ssh-failure.ts';

export interface FileToSend {
	localPath: string;
	/** On Windows: its own name, and that under which it is sent. */
	path: string;
	part: string;
	sha256: string;
	sizeBytes: number;
}

export interface Sending {
	driver: Driver;
	destination: OperatorDestination;
	setupId: string;
	signal: AbortSignal;
	/** Of the file, as the host has it. */
	onProgress: (doneBytes: number, totalBytes: number) => void;
}

/** The exit code of sftp(1) for a connection that failed; another is for a command. */
const notConnected = 255;
const lookEveryMs = 2000;

export async function digestFile(path: string): Promise<{ sha256: string; sizeBytes: number }> {
	const hash = createHash('sha256');
	await pipeline(createReadStream(path), hash);
	return { sha256: hash.digest('hex'), sizeBytes: (await stat(path)).size };
}

/**
 * The host has the whole file when this returns. What of it came before is not sent again; when the whole then is another
 * than was sent, it is sent once more from its beginning.
 */
export async function sendFile(sending: Sending, file: FileToSend): Promise<void> {
	const { driver, setupId, signal } = sending;
	const { path, part, sha256, sizeBytes } = file;
	for (;;) {
		const { whole, partBytes } = await driver.ask('expect-file', { setupId, path, part }, { signal });
		if (whole) return;
		const goesOn = partBytes !== null && partBytes > 0 && partBytes < sizeBytes;
		if (partBytes !== sizeBytes) await transfer(sending, file, goesOn ? 'reput' : 'put');
		const { taken, found } = await driver.ask('take-file', { setupId, path, part, sha256 }, { signal });
		if (taken) return;
		if (partBytes === null)
			throw new RouseError('io_failed', `${path} came with the digest ${found}, and was sent with ${sha256}`, {
				hint: "look at the host's disks, and give the command again: it is sent anew",
			});
	}
}

/** sftp's own commands split at spaces and know wildcards: the local name is one of ours, the other is in quotes. */
async function transfer(sending: Sending, file: FileToSend, how: 'put' | 'reput'): Promise<void> {
	const { destination, signal } = sending;
	const work = await mkdtemp(join(tmpdir(), 'rouse-send-'));
	const watching = new AbortController();
	try {
		await symlink(resolve(file.localPath), join(work, 'file'));
		const remote = `/${file.part.replaceAll('\\', '/')}`;
		await writeFile(join(work, 'batch'), `${how} file "${remote}"\n`);
		const watched = watch(sending, file, AbortSignal.any([signal, watching.signal]));
		const { code, tail } = await runTool('sftp', sftpArguments(destination, join(work, 'batch')), {
			hint: 'apt-get install openssh-client',
			cwd: work,
			signal,
		});
		watching.abort();
		await watched;
		if (code === notConnected) throw sshFailure(destination, { code, signal: null, said: tail.join(' ') });
		if (code !== 0)
			throw new RouseError('io_failed', `sftp to ${file.part} ended with ${code}: ${tail.join(' ')}`, {
				hint: "look at the room on the host's datastore, and give the command again: it goes on where it stopped",
			});
	} finally {
		watching.abort();
		await rm(work, { recursive: true, force: true });
	}
}

/** sftp tells nothing of its progress without a terminal. */
async function watch({ driver, setupId, onProgress }: Sending, file: FileToSend, until: AbortSignal): Promise<void> {
	const { path, part, sizeBytes } = file;
	try {
		for (;;) {
			await delay(lookEveryMs, undefined, { signal: until });
			const { partBytes } = await driver.ask('expect-file', { setupId, path, part }, { signal: until });
			onProgress(partBytes ?? 0, sizeBytes);
		}
	} catch {
		// It was sent, or sftp says why it was not.
	}
}
