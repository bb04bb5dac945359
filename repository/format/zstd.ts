import {
	constants,
	createZstdCompress,
	createZstdDecompress,
	zstdCompressSync,
	zstdDecompressSync,
	type ZstdCompress,
	type ZstdDecompress,
} from 'node:zlib';
import { zstdContentBytes } from './zstd-frame.ts';

/**
 * zstd for frames: synchronous, without an allocation where it can be had. A call of Node's own makes a context each time, which
 * costs a third of what a frame of 64 KiB takes. A stream's handle can be used again, but nobody promises that: so it is used only
 * in a program that has proved it (zstd-proof.ts), and whatever it fails at is done once more by the call that is documented.
 */
const level = 3;

/** Level 3 looks back so far: above it a frame is a single segment only with a window of its own, which a handle forgets. */
const handleMostBytes = 2 ** 21;

/** Streams have an output buffer of their own, which is not used here: as little of it as Node allows. */
const ownBuffer = { chunkSize: constants.Z_MIN_CHUNK };

/** Set for the children and workers of a program that has proved its handles, to the version of Node that it was proved with. */
export const zstdProofVariable = 'ROUSE_ZSTD_HANDLE';

let handlesAllowed = process.env[zstdProofVariable] === process.version;
// Taken out while they are used: where Node tells of an error it may run what waits in the queue of microtasks, and with it
// another call of these functions, in the middle of the first.
let compressor: ReusedHandle | undefined;
let decompressor: ReusedHandle | undefined;

/** From now on, in this thread and those that it starts. */
export function allowZstdHandles(): void {
	handlesAllowed = true;
	process.env[zstdProofVariable] = process.version;
}

/** Whether the last frames were packed and unpacked by handles. Where there are none, all goes on by the other call, and nobody notices. */
export function areZstdHandlesUsed(): boolean {
	return compressor !== undefined && decompressor !== undefined;
}

/**
 * Puts one zstd frame of all of `raw` into `into` from `at` on, single-segment and with its content size, and returns its length;
 * undefined when it is not shorter than `belowBytes`. There MUST be room for that many.
 */
export function compressFrame(raw: Buffer, into: Buffer, at: number, belowBytes: number): number | undefined {
	if (handlesAllowed && raw.length <= handleMostBytes) {
		const handle = compressor ?? ReusedHandle.of(createZstdCompress(ownBuffer));
		compressor = undefined;
		const left = handle?.run(raw, into, at, belowBytes);
		const bytes = left?.input === 0 && left.output > 0 ? belowBytes - left.output : 0;
		// Of what is written wrong no reader makes anything: whether it is a frame of all of `raw` is looked at here.
		if (left?.output === 0 || zstdContentBytes(into.subarray(at, at + bytes)) === raw.length) {
			compressor = handle;
			return bytes === 0 ? undefined : bytes;
		}
		handle?.close();
	}
	// A window as large as the frame makes it a single segment.
	const windowLog = Math.max(Math.log2(handleMostBytes), Math.ceil(Math.log2(raw.length)));
	const params = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_windowLog]: windowLog };
	// One output buffer that surely fits: with the default of 16 KiB the parts are collected and copied once more.
	// The size said beforehand is told in its header: readers ask for it.
	const bytes = zstdCompressSync(raw, { params, chunkSize: raw.length + 1024, pledgedSrcSize: raw.length });
	if (bytes.length >= belowBytes) return undefined;
	bytes.copy(into, at);
	return bytes.length;
}

/**
 * Fills `into` with what a frame unpacks to, and returns how many bytes that are, at most `into.length`. The frame's header MUST
 * have been looked at before (zstd-frame.ts). Throws zlib's errors; what is in `into` then is nothing.
 */
export function decompressFrame(frame: Buffer, into: Buffer): number {
	if (handlesAllowed) {
		const handle = decompressor ?? ReusedHandle.of(createZstdDecompress(ownBuffer));
		decompressor = undefined;
		const left = handle?.run(frame, into, 0, into.length);
		if (left?.output === 0 && left.input === 0) {
			decompressor = handle;
			return into.length;
		}
		handle?.close();
	}
	const raw = zstdDecompressSync(frame, { maxOutputLength: into.length, chunkSize: into.length + 1024 });
	return raw.copy(into);
}

/** What Node 24 keeps behind a stream of zlib (lib/zlib.js, `processChunkSync`): nothing of it is documented. */
interface ZlibHandle {
	writeSync(
		flush: number,
		input: Buffer,
		inputAt: number,
		inputBytes: number,
		output: Buffer,
		outputAt: number,
		outputBytes: number,
	): void;
	reset(): void;
}

/** What was left of output and input. */
interface Left {
	output: number;
	input: number;
}

/** A call that failed leaves its state as the one before has set it; this value no call leaves. */
const notSet = 0xffff_ffff;

class ReusedHandle {
	readonly #stream: ZstdCompress | ZstdDecompress;
	readonly #handle: ZlibHandle;
	/** Bytes left of output and input after a call. */
	readonly #state: Uint32Array;
	#failed = false;

	/** Undefined when this is not what Node 24 keeps there. */
	static of(stream: ZstdCompress | ZstdDecompress): ReusedHandle | undefined {
		const handle: unknown = Reflect.get(stream, '_handle');
		const state: unknown = Reflect.get(stream, '_writeState');
		return isHandle(handle) && state instanceof Uint32Array && state.length === 2
			? new ReusedHandle(stream, handle, state)
			: undefined;
	}

	private constructor(stream: ZstdCompress | ZstdDecompress, handle: ZlibHandle, state: Uint32Array) {
		this.#stream = stream;
		this.#handle = handle;
		this.#state = state;
		// The stream's own throws in the middle of a native call, which ends the process.
		Object.assign(handle, { onerror: () => (this.#failed = true) });
	}

	/** The whole of `input`, to its end; undefined after an error: then the handle is dead. */
	run(input: Buffer, output: Buffer, outputAt: number, outputBytes: number): Left | undefined {
		const state = this.#state;
		state[0] = state[1] = notSet;
		this.#handle.reset();
		this.#handle.writeSync(constants.ZSTD_e_end, input, 0, input.length, output, outputAt, outputBytes);
		const [left = notSet, unread = notSet] = state;
		if (!this.#failed && left !== notSet && unread !== notSet) return { output: left, input: unread };
		this.close();
		return undefined;
	}

	close(): void {
		this.#stream.close();
	}
}

function isHandle(value: unknown): value is ZlibHandle {
	return (
		typeof value === 'object' &&
		value !== null &&
		typeof Reflect.get(value, 'writeSync') === 'function' &&
		typeof Reflect.get(value, 'reset') === 'function' &&
		typeof Reflect.get(value, 'onerror') === 'function'
	);
}
