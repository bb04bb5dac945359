/** A range of chunks, `to` exclusive. */
export interface ChunkSpan {
	from: number;
	to: number;
}

interface Stream {
	/** The chunk that continues it. */
	next: number;
	/** Up to where was asked for ahead, exclusive. */
	askedTo: number;
	/** How many chunks to be ahead. */
	window: number;
}

/** Guests read several files at once; more streams than these are not told apart. */
const maxStreams = 8;
const firstWindow = 2;

/**
 * Recognises sequential reads and says what to fetch ahead of them: nothing for a first read, then a window that doubles
 * with every chunk up to `maxWindow`.
 */
export class ReadAhead {
	readonly #maxWindow: number;
	/** The one used last comes first. */
	readonly #streams: Stream[] = [];

	constructor(maxWindow: number) {
		this.#maxWindow = maxWindow;
	}

	/** Notes a read of the chunks `first` to `last`; undefined when there is nothing to fetch ahead. */
	note(first: number, last: number): ChunkSpan | undefined {
		const newest = this.#streams[0];
		if (newest !== undefined && last === newest.next - 1) return undefined; // still in the chunk read before
		const at = this.#streams.findIndex(({ next }) => first <= next && next <= last + 1);
		if (at < 0) {
			this.#streams.unshift({ next: last + 1, askedTo: last + 1, window: 0 });
			if (this.#streams.length > maxStreams) this.#streams.pop();
			return undefined;
		}
		const [stream] = this.#streams.splice(at, 1);
		if (stream === undefined) return undefined;
		this.#streams.unshift(stream);
		if (last < stream.next) return undefined; // an older part of it once more
		return this.#advance(stream, last + 1);
	}

	#advance(stream: Stream, next: number): ChunkSpan | undefined {
		stream.next = next;
		stream.window = Math.min(this.#maxWindow, Math.max(firstWindow, stream.window * 2));
		const from = Math.max(next, stream.askedTo);
		const to = next + stream.window;
		if (to <= from) return undefined;
		stream.askedTo = to;
		return { from, to };
	}
}
