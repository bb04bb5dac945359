import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../model/errors.ts';
import { NbdClient } from '../nbd/client/client.ts';
import { startError } from '../system/run-tool.ts';
import { fitsSocket } from '../system/socket-path.ts';
import { waitFor } from '../system/wait.ts';
import { type ImageFormat, imageFormats } from './image-format.ts';
import { installImageTools, openingError } from './opening-error.ts';

export interface ServedImage {
	client: NbdClient;
	/** Idempotent; resolves when the server is gone. */
	close: () => Promise<void>;
}

const startTimeoutMs = 30_000;
/** From its only client's goodbye to its end. */
const endTimeoutMs = 5_000;

/**
 * Serves an image through a qemu-nbd of our own and connects to it. The server ends when its one client goes, so it does
 * not outlive us even when we are killed. While it runs, QEMU's image lock keeps every machine from writing the image.
 */
export async function serveImage(path: string, format: ImageFormat, signal: AbortSignal): Promise<ServedImage> {
	signal.throwIfAborted();
	const directory = await mkdtemp(join(shortTemporary(), 'rouse-source-'));
	const socket = join(directory, 'nbd.sock');
	const server = new CaptiveServer(['--read-only', '--shared=1', `--socket=${socket}`, ...(await image(path, format))]);
	let client: NbdClient | undefined;
	const finish = async () => {
		await client?.close();
		await server.end({ politeMs: client ? endTimeoutMs : 0 });
		await rm(directory, { recursive: true, force: true });
	};
	let finished: Promise<void> | undefined;
	const close = () => (finished ??= finish());
	try {
		client = await waitFor(
			`qemu-nbd to serve ${path}`,
			async () => {
				server.throwIfEnded(path);
				return await connected(socket, signal);
			},
			{ timeoutMs: startTimeoutMs, everyMs: 10, signal },
		);
		// Nobody else is to connect, and when we are killed nothing is left behind.
		await rm(directory, { recursive: true, force: true });
		return { client, close };
	} catch (error) {
		await close();
		throw error;
	}
}

class CaptiveServer {
	readonly #process: ChildProcess;
	readonly #gone: Promise<void>;
	#ended: { error: Error | undefined } | undefined;
	#stderr = '';

	constructor(args: readonly string[]) {
		// Detached: Ctrl-C on a terminal goes to us alone; the server must not be gone before its reader has ended.
		const server = spawn('qemu-nbd', args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
		server.stderr.on('data', (bytes: Buffer) => {
			if (this.#stderr.length < 8192) this.#stderr += bytes.toString('utf8');
		});
		this.#process = server;
		this.#gone = new Promise(resolve => {
			const end = (error?: Error) => {
				this.#ended ??= { error };
				resolve();
			};
			server.once('error', end);
			server.once('close', () => end());
		});
	}

	throwIfEnded(path: string): void {
		if (!this.#ended) return;
		if (this.#ended.error) throw startError('qemu-nbd', this.#ended.error, installImageTools);
		throw openingError(path, this.#stderr);
	}

	/** Waits for it to end by itself before it is killed. */
	async end({ politeMs }: { politeMs: number }): Promise<void> {
		const late = new AbortController();
		await Promise.race([this.#gone, delay(politeMs, undefined, { signal: late.signal }).catch(() => {})]);
		late.abort();
		if (!this.#ended) this.#process.kill('SIGKILL');
		await this.#gone;
	}
}

/**
 * QEMU lets anybody read a raw image that a machine writes, and the copy would be of no moment that ever was. blkdebug,
 * which passes everything on, takes the same lock for it that the formats with tables take for themselves.
 */
async function image(path: string, format: ImageFormat): Promise<string[]> {
	if (format !== 'raw') return [`--format=${imageFormats[format]}`, path];
	const driver = (await stat(path)).isBlockDevice() ? 'host_device' : 'file';
	const filename = path.replaceAll(',', ',,');
	return [
		'--image-opts',
		`driver=blkdebug,unshare-child-perms.0=write,image.driver=${driver},image.filename=${filename}`,
	];
}

async function connected(socket: string, signal: AbortSignal): Promise<NbdClient | undefined> {
	try {
		return await NbdClient.open({ address: { path: socket }, exportName: '' }, signal);
	} catch (error) {
		if (error instanceof RouseError && error.code === 'source_unreachable') return undefined;
		throw error;
	}
}

function shortTemporary(): string {
	const directory = tmpdir();
	return fitsSocket(`${directory}/rouse-source-XXXXXX/nbd.sock`) ? directory : '/tmp';
}
