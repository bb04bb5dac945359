import { type ChildProcess, spawn } from 'node:child_process';
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../model/errors.ts';
import { NbdClient } from '../nbd/client/client.ts';
import { isErrno } from '../system/durable-file.ts';
import { startError } from '../system/run-tool.ts';
import { fitsSocket } from '../system/socket-path.ts';
import { waitFor } from '../system/wait.ts';
import { blockNodes, cagedFiles } from './block-nodes.ts';
import { caged, type CagedCommand, type CagedFile, socketsInCage, wasKilled } from './cage.ts';
import type { ImageLayer } from './image-layers.ts';
import { installCageTools, openingError, wordsOf } from './opening-error.ts';

export interface ServedImage {
	client: NbdClient;
	/** Why the server went, or what it said of an error, in its words; empty when it has not said anything. Waits for it when it ends. */
	lastWords: () => Promise<string>;
	/** Whether the server is gone, and its lock with it. */
	hasEnded: () => boolean;
	/** Idempotent; resolves when the server is gone. */
	close: () => Promise<void>;
}

const startTimeoutMs = 30_000;
/** From its only client's goodbye to its end. */
const endTimeoutMs = 5_000;
/** From its hanging up to its end. */
const wordsTimeoutMs = 2_000;
/** Decompressing a disk of 60 TiB takes a week. */
const limits = { memoryBytes: 2 * 2 ** 30, cpuSeconds: 7 * 86_400 };
/** Of what it says, the end. */
const maxSaidCharacters = 8192;
const socketName = 'nbd.sock';

/**
 * Serves the disk of a chain through a qemu-nbd of our own in a cage and connects to it. The server ends when its one client goes, so it does
 * not outlive us even when we are killed. While it runs, QEMU's image lock keeps every machine from writing the image.
 */
export async function serveImage(layers: readonly ImageLayer[], signal: AbortSignal): Promise<ServedImage> {
	signal.throwIfAborted();
	const files = cagedFiles(layers);
	const directory = await mkdtemp(join(shortTemporary(), 'rouse-source-'));
	const socketDirectory = await makeSocketDirectory(directory, files);
	const socket = join(socketDirectory, socketName);
	const args = ['--read-only', '--shared=1', `--socket=${socketsInCage}/${socketName}`, blockNodes(layers)];
	const server = new CaptiveServer(caged('qemu-nbd', args, { files, socketDirectory, limits }), files);
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
			`qemu-nbd to serve ${files[0]?.file.path}`,
			async () => {
				server.throwIfEnded();
				return await connected(socket, files[0]?.file.path ?? '', signal);
			},
			{ timeoutMs: startTimeoutMs, everyMs: 10, signal },
		);
		// Nobody else is to connect, and when we are killed nothing is left behind.
		await rm(directory, { recursive: true, force: true });
		return { client, lastWords: () => server.lastWords(), hasEnded: () => server.hasEnded, close };
	} catch (error) {
		await close();
		throw error;
	}
}

/** In a directory that only we may enter, one that the tool may write to: it runs as the owner of the image. */
async function makeSocketDirectory(directory: string, [first]: readonly CagedFile[]): Promise<string> {
	const path = join(directory, 's');
	await mkdir(path, 0o700);
	if (process.geteuid?.() === 0 && first) await chown(path, first.file.found.uid, first.file.found.gid);
	return path;
}

class CaptiveServer {
	readonly #process: ChildProcess;
	readonly #files: readonly CagedFile[];
	readonly #gone: Promise<void>;
	#ended: { error: Error | undefined } | undefined;
	#stderr = '';

	constructor({ program, args, env, files: descriptors }: CagedCommand, files: readonly CagedFile[]) {
		this.#files = files;
		// Detached: Ctrl-C on a terminal goes to us alone; the server must not be gone before its reader has ended.
		const stdio = ['ignore', 'ignore', 'pipe', ...descriptors] as const;
		const server = spawn(program, args, { stdio: [...stdio], detached: true, env, cwd: '/' });
		server.stderr?.on('data', (bytes: Buffer) => {
			this.#stderr = `${this.#stderr}${bytes.toString('utf8')}`.slice(-maxSaidCharacters);
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

	get hasEnded(): boolean {
		return this.#ended !== undefined;
	}

	throwIfEnded(): void {
		if (!this.#ended) return;
		if (this.#ended.error) throw startError('unshare', this.#ended.error, installCageTools);
		throw openingError(this.#files[0]?.file.path ?? '', this.#stderr, this.#files);
	}

	async lastWords(): Promise<string> {
		const late = new AbortController();
		await Promise.race([this.#gone, delay(wordsTimeoutMs, undefined, { signal: late.signal }).catch(() => {})]);
		late.abort();
		const said = this.#stderr.trim() === '' ? '' : wordsOf('', this.#stderr, this.#files);
		return said === '' && wasKilled(this.#stderr) ? 'it was killed' : said;
	}

	/** Waits for it to end by itself before it is killed. */
	async end({ politeMs }: { politeMs: number }): Promise<void> {
		const late = new AbortController();
		await Promise.race([this.#gone, delay(politeMs, undefined, { signal: late.signal }).catch(() => {})]);
		late.abort();
		if (!this.#ended) killGroup(this.#process);
		await this.#gone;
	}
}

/** The cage's maker and the tool in it. */
function killGroup({ pid }: ChildProcess): void {
	if (pid === undefined) return;
	try {
		process.kill(-pid, 'SIGKILL');
	} catch (error) {
		if (!isErrno(error, 'ESRCH')) throw error; // it ended meanwhile
	}
}

async function connected(socket: string, path: string, signal: AbortSignal): Promise<NbdClient | undefined> {
	try {
		return await NbdClient.open({ address: { path: socket }, exportName: '' }, signal, { undivided: true });
	} catch (error) {
		if (!(error instanceof RouseError)) throw error;
		if (error.code === 'source_unreachable') return undefined;
		// A server of ours has its one export, and serves it: what is wrong is the size.
		if (error.code !== 'source_invalid') throw error;
		throw new RouseError('source_invalid', `${path} is an image of an empty disk, or a damaged one: it has 0 bytes`, {
			hint: 'copy it again, or convert it where it was made',
			cause: error,
		});
	}
}

function shortTemporary(): string {
	const directory = tmpdir();
	return fitsSocket(`${directory}/rouse-source-XXXXXX/s/${socketName}`) ? directory : '/tmp';
}
