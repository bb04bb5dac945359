import type { IncomingMessage } from 'node:http';
import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import type { ChunkClass } from '../../repository/chunk-source.ts';
import { chunkRefBytes } from '../../repository/format/reference.ts';
import { readBody } from '../../system/request-body.ts';
import { decodeRequest, maxReferences, streamHeader } from './wire.ts';

/** How many chunks a request asks for, and which. */
export interface NamedChunks {
	count: number;
	/** The recovery that copies: streams share a limit equally. */
	stream: string;
	refs(from: number, to: number, signal: AbortSignal): Promise<readonly ChunkRef[]>;
}

/** Reads what a request names, once it is known that its sender may have it. */
export type NamesReader = (incoming: IncomingMessage, signal: AbortSignal) => Promise<NamedChunks>;

/** On a Unix socket: references, as they are. */
export const readReferences: NamesReader = async incoming => {
	const refs = decodeRequest(await readBody(incoming, maxReferences * chunkRefBytes));
	const stream = incoming.headers[streamHeader];
	const named = typeof stream === 'string' ? stream : '';
	return { count: refs.length, stream: named, refs: async (from, to) => refs.slice(from, to) };
};

/** What a request line says; `protocol` for what is not known here. */
export function readOptions({ method, url: said = '/' }: IncomingMessage): { class: ChunkClass; locate: boolean } {
	const url = new URL(said, 'http://local');
	const chunkClass = url.searchParams.get('class');
	if (method !== 'POST' || url.pathname !== '/chunks')
		throw new RouseError('protocol', `${method} ${url.pathname}: only POST /chunks is answered here`);
	if (chunkClass !== 'mount' && chunkClass !== 'ahead' && chunkClass !== 'migration')
		throw new RouseError('protocol', `class is ${chunkClass}, not mount, ahead or migration`);
	return { class: chunkClass, locate: url.searchParams.get('locate') === '1' };
}
