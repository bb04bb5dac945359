import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import type { Hello } from './protocol/hello.ts';
import { decodeReferences } from './protocol/names.ts';

/** Who asks, by the hello of a connection. */
export interface Visitor {
	/** The recovery that copies: streams share a limit equally. */
	stream: string;
	/** What the names of a request stand for. */
	named(names: Buffer, signal: AbortSignal): Promise<NamedChunks>;
}

/** References of a request, looked up when they are to be read. */
export type NamedChunks = (from: number, to: number, signal: AbortSignal) => Promise<readonly ChunkRef[]>;

/** Throws for who may have nothing. */
export type Admission = (hello: Hello) => Visitor;

/** On a Unix socket: references, as they are. */
export const admitByReferences: Admission = ({ naming, says }) => {
	if (naming !== 'references') throw new RouseError('protocol', 'chunks are named by references here');
	return {
		stream: says,
		named: async names => {
			const refs = decodeReferences(names);
			return async (from, to) => refs.slice(from, to);
		},
	};
};
