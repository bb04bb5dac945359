import { once } from 'node:events';
import { randomInt } from 'node:crypto';
import { lstat } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { isErrno } from '../system/durable-file.ts';
import { jsonOf } from '../system/json-of.ts';
import { openSocket, type OpenedSocket } from '../system/open-socket.ts';

/** An agent that runs answers within milliseconds; a guest that is busy takes longer. */
const patienceMs = 3_000;

/** What a guest sends before its answer is what it had not read of earlier questions, or nonsense. */
const mostBytes = 64 * 1024;

export interface AgentCall {
	signal?: AbortSignal | undefined;
	withinMs?: number;
	/** Of a machine that is none of ours: then the directory may be somebody else's for good. */
	foreign?: boolean;
}

/**
 * Asks the agent at the guest's end of a Unix socket of QEMU's for no more than an answer: `guest-sync-delimited` begins
 * anew after whatever was left in the channel (https://qemu-project.gitlab.io/qemu/interop/qemu-ga-ref.html). Nothing that
 * the guest sends is used but that it is the number which it was sent.
 */
export async function agentAnswers(path: string, options: AgentCall = {}): Promise<boolean> {
	return (await withAgent(path, async () => true, options)) ?? false;
}

/** One command after the agent has answered; undefined when nobody does in time, or what comes is no answer. */
export function askAgent(
	path: string,
	command: { execute: string; arguments: Record<string, unknown> },
	options: AgentCall & { mostBytes: number },
): Promise<unknown> {
	return withAgent(
		path,
		async (socket, deadline) => {
			socket.write(`${JSON.stringify(command)}\n`);
			return answerLine(socket, deadline, options.mostBytes);
		},
		options,
	);
}

/** `talk` with an agent that has just answered. */
async function withAgent<T>(
	path: string,
	talk: (socket: Socket, deadline: AbortSignal) => Promise<T>,
	{ signal, withinMs = patienceMs, foreign = false }: AgentCall,
): Promise<T | undefined> {
	const found = await findSocket(path, foreign);
	if (found === undefined) return undefined;
	const deadline = AbortSignal.any([AbortSignal.timeout(withinMs), ...(signal ? [signal] : [])]);
	const socket = createConnection(found.way);
	try {
		await once(socket, 'connect', { signal: deadline });
		return (await answered(socket, deadline)) ? await talk(socket, deadline) : undefined;
	} catch (cause) {
		signal?.throwIfAborted();
		if (deadline.aborted || isErrno(cause, 'ECONNREFUSED')) return undefined;
		const message = cause instanceof Error ? cause.message : String(cause);
		throw new RouseError('hypervisor_failed', `the agent's channel ${path} cannot be used: ${message}`, { cause });
	} finally {
		socket.destroy();
		await found.close();
	}
}

/**
 * While QEMU starts the directory is its user's, and is left to it: what is asked so often must not take it away. A machine
 * that was defined without the channel has no such socket.
 */
async function findSocket(path: string, foreign: boolean): Promise<OpenedSocket | undefined> {
	try {
		if (!foreign && (await lstat(dirname(path))).uid !== (process.getuid?.() ?? 0)) return undefined;
		return await openSocket(path);
	} catch (cause) {
		if (isErrno(cause, 'ENOENT')) return undefined;
		throw cause;
	}
}

async function answered(socket: Socket, deadline: AbortSignal): Promise<boolean> {
	const id = randomInt(2 ** 31);
	// The byte that is in no JSON ends whatever the agent had half read.
	const question = JSON.stringify({ execute: 'guest-sync-delimited', arguments: { id } });
	socket.write(Buffer.concat([Buffer.of(0xff), Buffer.from(`${question}\n`)]));
	return (await heardUntil(socket, deadline, mostBytes, heard => isAnswer(heard, id))) !== undefined;
}

/** The next line, as JSON; undefined for what is none, or longer than `most`: a guest may say anything. */
async function answerLine(socket: Socket, deadline: AbortSignal, most: number): Promise<unknown> {
	const heard = await heardUntil(socket, deadline, most, bytes => bytes.includes('\n'));
	return heard && jsonOf(heard.subarray(0, heard.indexOf('\n')).toString('utf8'));
}

/** All that came when it `isEnough`; undefined when that is more than `most`, or the socket ends before. */
async function heardUntil(
	socket: Socket,
	deadline: AbortSignal,
	most: number,
	isEnough: (heard: Buffer) => boolean,
): Promise<Buffer | undefined> {
	const stop = () => socket.destroy();
	deadline.addEventListener('abort', stop, { once: true });
	let heard = Buffer.alloc(0);
	try {
		// Not to be destroyed when it is left: a command may follow.
		for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
			heard = Buffer.concat([heard, chunk as Buffer]);
			if (isEnough(heard)) return heard;
			if (heard.length > most) return undefined;
		}
		return undefined;
	} finally {
		deadline.removeEventListener('abort', stop);
	}
}

/** The line after the last of those bytes. */
function isAnswer(heard: Buffer, id: number): boolean {
	const line = heard.subarray(heard.lastIndexOf(0xff) + 1).toString('latin1');
	const end = line.indexOf('\n');
	return end >= 0 && line.slice(0, end).replaceAll(/\s/g, '') === `{"return":${id}}`;
}
