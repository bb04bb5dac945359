/** The machine at the other end, as far as a source uses it: scripts that are run there, and one program that is talked to. */
import type { Readable, Writable } from 'node:stream';

export interface FarRun {
	code: number;
	stdout: Buffer;
	/** The end of what it said beside that. */
	said: string;
}

export interface RunOptions {
	/** Of what it may say; by default 16 MiB. */
	mostBytes?: number;
}

export interface FarSide {
	/** For people: `user@host`. */
	readonly name: string;
	/**
	 * A script of sh, as root there, with its arguments; whatever it ends with. Throws `source_unreachable` when the machine is not
	 * reached or the session ends, `identity_conflict` when it shows another key than the one that is pinned, `access_denied`
	 * when it lets nobody in, or not become root.
	 */
	run(script: string, args: readonly string[], signal: AbortSignal, options?: RunOptions): Promise<FarRun>;
	/** A program that is talked to. What {@link run} throws is what `ended` throws. */
	start(script: string, args: readonly string[]): FarProgram;
}

export interface FarProgram {
	stdin: Writable;
	stdout: Readable;
	/** When it and its streams have ended. */
	ended: Promise<{ code: number; said: string }>;
	/** Cuts the session. Idempotent. */
	kill(): void;
}
