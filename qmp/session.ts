import * as z from 'zod';
import { RouseError } from '../model/errors.ts';

/**
 * QMP as bytes: JSON documents, one a line, in both directions.
 * https://www.qemu.org/docs/master/interop/qmp-spec.html
 */
export type QmpMessage =
	| { kind: 'greeting' }
	| { kind: 'return'; id: string; value: unknown }
	| { kind: 'error'; id: string; class: string; description: string }
	| QmpEvent;

export interface QmpEvent {
	kind: 'event';
	event: string;
	data: Record<string, unknown>;
}

const greetingSchema = z.object({ QMP: z.object({ version: z.unknown() }) });
const returnSchema = z.object({ return: z.unknown(), id: z.string() });
const errorSchema = z.object({ error: z.object({ class: z.string(), desc: z.string() }), id: z.string().optional() });
const eventSchema = z.object({ event: z.string(), data: z.record(z.string(), z.unknown()).optional() });

/** QEMU's longest answers (query-named-block-nodes with many disks) stay far below it. */
const maxLineBytes = 16 * 1024 * 1024;
const lineFeed = 0x0a;

/** One side of one connection; knows nothing of sockets or time. After a `protocol` error the session is dead. */
export class QmpSession {
	#parts: Buffer[] = [];
	#pendingBytes = 0;
	#lastId = 0;

	/** The bytes that ask for `execute`, and the id its answer will carry. */
	command(execute: string, args?: Record<string, unknown>): { id: string; bytes: Buffer } {
		const id = `rouse-${++this.#lastId}`;
		const text = JSON.stringify(args === undefined ? { execute, id } : { execute, arguments: args, id });
		return { id, bytes: Buffer.from(`${text}\n`) };
	}

	/** Takes what arrived, cut anywhere, and gives the messages that are whole now. */
	push(bytes: Uint8Array): QmpMessage[] {
		const messages: QmpMessage[] = [];
		let rest = Buffer.from(bytes);
		for (let end = rest.indexOf(lineFeed); end >= 0; end = rest.indexOf(lineFeed)) {
			const line = Buffer.concat([...this.#parts, rest.subarray(0, end)]).toString('utf8');
			this.#parts = [];
			this.#pendingBytes = 0;
			rest = rest.subarray(end + 1);
			if (line.trim() !== '') messages.push(parseMessage(line));
		}
		if (rest.length > 0) this.#parts.push(rest);
		this.#pendingBytes += rest.length;
		if (this.#pendingBytes > maxLineBytes)
			throw new RouseError('protocol', `QMP: a line of more than ${maxLineBytes} bytes`);
		return messages;
	}
}

function parseMessage(line: string): QmpMessage {
	let document: unknown;
	try {
		document = JSON.parse(line);
	} catch (cause) {
		throw new RouseError('protocol', `QMP: not JSON: ${excerpt(line)}`, { cause });
	}
	const event = eventSchema.safeParse(document);
	if (event.success) return { kind: 'event', event: event.data.event, data: event.data.data ?? {} };
	const answer = returnSchema.safeParse(document);
	if (answer.success) return { kind: 'return', id: answer.data.id, value: answer.data.return };
	const error = errorSchema.safeParse(document);
	if (error.success) {
		const { id, error: problem } = error.data;
		// Without an id QEMU could not even read the request: nobody waits for this answer, and ours are always readable.
		if (id === undefined) throw new RouseError('protocol', `QMP: ${problem.class}: ${problem.desc}`);
		return { kind: 'error', id, class: problem.class, description: problem.desc };
	}
	if (greetingSchema.safeParse(document).success) return { kind: 'greeting' };
	throw new RouseError('protocol', `QMP: unknown message: ${excerpt(line)}`);
}

function excerpt(line: string): string {
	return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
