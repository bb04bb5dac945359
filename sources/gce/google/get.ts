/**
 * One GET. Not by `fetch`, which unpacks what comes with `Content-Encoding: gzip`, whatever it was asked for: of such an object no
 * range could be read, and its CRC32C is that of the packed bytes.
 */
import type { IncomingMessage } from 'node:http';
import { Agent as SecureAgent, request as requestSecurely } from 'node:https';
import { Agent, request } from '../../../system/node-http.ts';
import { GoogleFault, isWord } from './fault.ts';

export interface GetOptions {
	/** The permission that it needs: what it is called by. */
	call: string;
	headers: Readonly<Record<string, string>>;
	/** How long nothing may come. */
	stallMs: number;
	connections: Connections;
}

/** Kept between requests. */
export class Connections {
	readonly #agents = { 'http:': new Agent({ keepAlive: true }), 'https:': new SecureAgent({ keepAlive: true }) };

	start(url: URL, options: { headers: Readonly<Record<string, string>>; signal: AbortSignal }) {
		return url.protocol === 'https:'
			? requestSecurely(url, { ...options, agent: this.#agents['https:'] })
			: request(url, { ...options, agent: this.#agents['http:'] });
	}

	close(): void {
		for (const agent of Object.values(this.#agents)) agent.destroy();
	}
}

class StoodStill extends Error {}

/** The answer, whatever its status, its body unread: whoever gets it reads it to its end, or destroys it. Throws {@link GoogleFault}. */
export async function get(
	url: URL,
	{ call, headers, stallMs, connections }: GetOptions,
	signal: AbortSignal,
): Promise<IncomingMessage> {
	signal.throwIfAborted();
	const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
	const started = connections.start(url, { headers, signal });
	started.on('response', resolve).on('error', reject).end();
	const stalled = setTimeout(() => started.destroy(new StoodStill()), stallMs);
	try {
		return await promise;
	} catch (error) {
		signal.throwIfAborted();
		throw new GoogleFault('unreachable', { call, word: wordOf(error, stallMs) });
	} finally {
		clearTimeout(stalled);
	}
}

/** The body as it comes. Ended by `signal` as `get` was given it. Throws {@link GoogleFault}: `cut`. */
export async function* piecesOf(
	body: IncomingMessage,
	{ call, stallMs }: Pick<GetOptions, 'call' | 'stallMs'>,
	signal: AbortSignal,
): AsyncGenerator<Buffer> {
	const all: AsyncIterable<Buffer> = body;
	const pieces = all[Symbol.asyncIterator]();
	try {
		for (;;) {
			// While nobody asks it may stand still for as long as he likes.
			const stalled = setTimeout(() => body.destroy(new StoodStill()), stallMs);
			const next = await pieces.next().finally(() => clearTimeout(stalled));
			if (next.done) break;
			yield next.value;
		}
	} catch (error) {
		signal.throwIfAborted();
		throw new GoogleFault('cut', { call, word: wordOf(error, stallMs) });
	} finally {
		body.destroy();
	}
	// Ended by the signal it may look as if it were whole.
	signal.throwIfAborted();
}

function wordOf(error: unknown, stallMs: number): string {
	if (error instanceof StoodStill) return `nothing for ${stallMs / 1000} s`;
	const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
	return isWord(code) ? code : 'no word for it';
}
