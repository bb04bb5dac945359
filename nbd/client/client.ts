import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { baseAllocation, NBD_CMD_FLAG, NBD_STATE } from '../protocol/constants.ts';
import { errnoName } from '../protocol/names.ts';
import type { NbdAddress, NbdTarget } from '../protocol/uri.ts';
import type { Refusal, StatusExtent } from './calls.ts';
import type { Negotiated } from './options.ts';
import { NbdClientSession } from './session.ts';
import { violation } from './violation.ts';

/** A server that is there answers the handshake at once. */
const openTimeoutMs = 15_000;
/** How long a server may take to hang up after it was told goodbye. */
const closeTimeoutMs = 1_000;
/** Block status lengths have 32 bits; just under 2 GiB is also safe with servers that sign them, and is aligned. */
const statusPieceBytes = 2 ** 31 - 65536;

export interface DiskExtent {
	offsetBytes: number;
	lengthBytes: number;
	/** `zero`: every byte is known to be. */
	kind: 'data' | 'zero';
}

export interface NbdClientOptions {
	/**
	 * Demands each answer in one piece. Only for servers that give that at any length, as qemu-nbd does: it hangs up when it meets an
	 * error in an answer that it had begun, and tells the error of one that it had not.
	 */
	undivided?: boolean;
	/** The metadata context whose block status is wanted: one for a connection. By default `base:allocation`. */
	context?: string;
}

/** What a metadata context says of a part of the disk. */
export interface FlaggedExtent {
	offsetBytes: number;
	lengthBytes: number;
	flags: number;
}

/**
 * A read-only NBD client. A signal that is aborted in a call ends the connection, and with it every other call: a late
 * answer must not land in a buffer that its owner took back.
 *
 * Errors: `source_unreachable` when there is no connection or it is lost, `source_invalid` when the server has no such
 * export or refuses a read, `protocol` when it breaks the protocol.
 */
export class NbdClient {
	readonly sizeBytes: number;
	/** Whether the server has the block status that was asked for. */
	readonly hasBlockStatus: boolean;
	readonly #session: NbdClientSession;
	readonly #socket: Socket;
	readonly #agreed: Negotiated;
	readonly #readFlags: number;
	#closed: Promise<void> | undefined;

	private constructor(session: NbdClientSession, socket: Socket, agreed: Negotiated, undivided: boolean) {
		this.#session = session;
		this.#socket = socket;
		this.#agreed = agreed;
		this.#readFlags = undivided && agreed.structuredReplies ? NBD_CMD_FLAG.DF : 0;
		this.sizeBytes = agreed.sizeBytes;
		this.hasBlockStatus = agreed.contextId !== undefined;
	}

	static async open(
		target: NbdTarget,
		signal: AbortSignal,
		{ undivided = false, context = baseAllocation }: NbdClientOptions = {},
	): Promise<NbdClient> {
		signal.throwIfAborted();
		const socket = connect(target.address);
		socket.setNoDelay(true);
		const session = new NbdClientSession({ exportName: target.exportName, context }, bytes => void socket.write(bytes));
		const where = addressText(target.address);
		const lost = (how: string, cause?: Error) =>
			session.fail(new RouseError('source_unreachable', `NBD server ${where}: ${how}`, { cause }));
		socket.on('data', bytes => {
			session.push(bytes);
			if (session.dead) socket.destroy();
		});
		socket.on('error', error => lost(error.message, error));
		socket.on('close', () => lost('it hung up'));
		const agreed = await ending(session, socket, signal, async () => {
			const timer = setTimeout(() => lost(`no answer within ${openTimeoutMs} ms`), openTimeoutMs);
			try {
				return await session.opened;
			} catch (error) {
				socket.destroy();
				throw error;
			} finally {
				clearTimeout(timer);
			}
		});
		const client = new NbdClient(session, socket, agreed, undivided);
		if (client.sizeBytes > 0) return client;
		await client.close();
		throw new RouseError('source_invalid', `NBD export "${target.exportName}" of ${where} has 0 bytes`);
	}

	/** Fills `into` whole from `offsetBytes` on, or throws. MUST NOT be asked past `sizeBytes`; any number of calls at once. */
	async read(offsetBytes: number, into: Buffer, signal: AbortSignal): Promise<void> {
		await ending(this.#session, this.#socket, signal, async () => {
			const { minimumBlockBytes, maximumPayloadBytes } = this.#agreed;
			const pieceBytes = maximumPayloadBytes - (maximumPayloadBytes % minimumBlockBytes);
			const start = offsetBytes - (offsetBytes % minimumBlockBytes);
			const end = Math.min(this.sizeBytes, roundUp(offsetBytes + into.length, minimumBlockBytes));
			const aligned = start === offsetBytes && end === offsetBytes + into.length;
			const buffer = aligned ? into : Buffer.allocUnsafe(end - start);
			const pieces: Promise<void>[] = [];
			for (let at = 0; at < buffer.length; at += pieceBytes)
				pieces.push(this.#readPiece(start + at, buffer.subarray(at, at + pieceBytes)));
			await Promise.all(pieces);
			if (!aligned) buffer.copy(into, 0, offsetBytes - start, offsetBytes - start + into.length);
		});
	}

	/**
	 * By `base:allocation`, the whole disk from 0 to `sizeBytes`, in order and without gaps; neighbours differ in their kind. Where the
	 * server has no such status everything is data.
	 */
	async *extents(signal: AbortSignal): AsyncGenerator<DiskExtent> {
		if (!this.hasBlockStatus) {
			yield { offsetBytes: 0, lengthBytes: this.sizeBytes, kind: 'data' };
			return;
		}
		// A HOLE that is not ZERO may read as anything.
		for await (const { offsetBytes, lengthBytes, flags } of this.status(NBD_STATE.ZERO, signal))
			yield { offsetBytes, lengthBytes, kind: flags === 0 ? 'data' : 'zero' };
	}

	/**
	 * By the context that was asked for, which the server MUST have: the whole disk, in order and without gaps. Of the flags only those
	 * of the mask are told; neighbours differ in them.
	 */
	async *status(mask: number, signal: AbortSignal): AsyncGenerator<FlaggedExtent> {
		let pending: FlaggedExtent | undefined;
		for (let at = 0; at < this.sizeBytes; ) {
			for (const { lengthBytes, flags } of await this.#status(at, signal)) {
				const extent: FlaggedExtent = {
					offsetBytes: at,
					// The last extent may reach beyond what was asked for, not beyond the disk.
					lengthBytes: Math.min(lengthBytes, this.sizeBytes - at),
					flags: flags & mask,
				};
				if (extent.lengthBytes === 0) break;
				at += extent.lengthBytes;
				if (pending?.flags === extent.flags) pending.lengthBytes += extent.lengthBytes;
				else {
					if (pending) yield pending;
					pending = extent;
				}
			}
		}
		if (pending) yield pending;
	}

	/** Says goodbye to the server; calls that wait fail. Idempotent. */
	async close(): Promise<void> {
		this.#closed ??= this.#disconnect();
		await this.#closed;
	}

	async #disconnect(): Promise<void> {
		if (this.#socket.destroyed) return;
		const hungUp = new Promise<void>(resolve => this.#socket.once('close', () => resolve()));
		this.#session.disconnect();
		this.#session.fail(new RouseError('source_unreachable', 'the NBD connection was closed'));
		this.#socket.end();
		const late = new AbortController();
		await Promise.race([hungUp, delay(closeTimeoutMs, undefined, { signal: late.signal })]);
		late.abort();
		this.#socket.destroy();
	}

	async #readPiece(offsetBytes: number, into: Buffer): Promise<void> {
		const refusal = await this.#session.read(offsetBytes, into, this.#readFlags);
		if (refusal) throw refused('read', refusal, offsetBytes, into.length);
	}

	async #status(offsetBytes: number, signal: AbortSignal): Promise<StatusExtent[]> {
		const lengthBytes = Math.min(statusPieceBytes, this.sizeBytes - offsetBytes);
		const answer = await ending(this.#session, this.#socket, signal, () =>
			this.#session.blockStatus(offsetBytes, lengthBytes),
		);
		if (!Array.isArray(answer)) throw refused('block status', answer, offsetBytes, lengthBytes);
		if (answer.length === 0) throw violation(`no extents at ${offsetBytes}`);
		return answer;
	}
}

/** Runs a call; an abort ends the connection, so that nothing of the call goes on behind its caller's back. */
async function ending<T>(
	session: NbdClientSession,
	socket: Socket,
	signal: AbortSignal,
	call: () => Promise<T>,
): Promise<T> {
	const abort = () => {
		session.fail(signal.reason);
		socket.destroy();
	};
	if (signal.aborted) abort();
	signal.addEventListener('abort', abort, { once: true });
	try {
		return await call();
	} finally {
		signal.removeEventListener('abort', abort);
	}
}

function refused(what: string, { errno, message }: Refusal, offsetBytes: number, lengthBytes: number): RouseError {
	const words = message === '' ? '' : `: ${message}`;
	return new RouseError(
		'source_invalid',
		`source ${what}: ${errnoName(errno)} at offset ${offsetBytes} (${exactBytes(lengthBytes)})${words}`,
		{ details: { offsetBytes, lengthBytes, errno: errnoName(errno) } },
	);
}

function addressText(address: NbdAddress): string {
	return 'path' in address ? address.path : `${address.host}:${address.port}`;
}

function roundUp(value: number, multiple: number): number {
	return Math.ceil(value / multiple) * multiple;
}
