import type { IncomingMessage } from 'node:http';
import { RouseError } from '../model/errors.ts';

/** A request's body, whole; `protocol` when it is longer than that. */
export async function readBody(incoming: IncomingMessage, maxBytes: number): Promise<Buffer> {
	const parts: Buffer[] = [];
	let size = 0;
	for await (const part of incoming) {
		if (!Buffer.isBuffer(part)) throw new RouseError('protocol', 'request body is not bytes');
		size += part.length;
		if (size > maxBytes) throw new RouseError('protocol', `request body over ${maxBytes} bytes`);
		parts.push(part);
	}
	return Buffer.concat(parts, size);
}
