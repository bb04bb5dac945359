import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** What lives no longer than a row, or than one run of it: processes, and a directory for its files. */
export class Scope {
	readonly directory: string;
	readonly signal: AbortSignal;
	readonly #endings: (() => Promise<unknown>)[] = [];
	#made = 0;

	private constructor(directory: string, signal: AbortSignal) {
		this.directory = directory;
		this.signal = signal;
	}

	static async open(directory: string, signal: AbortSignal): Promise<Scope> {
		await mkdir(directory, { recursive: true, mode: 0o700 });
		return new Scope(directory, signal);
	}

	/** Done in the opposite order. */
	after(end: () => Promise<unknown>): void {
		this.#endings.push(end);
	}

	/** A name in its directory that nothing has yet. Short: sockets lie there. */
	path(name: string): string {
		return join(this.directory, `${(this.#made += 1)}-${name}`);
	}

	/** Runs something in a scope of its own beneath this one. */
	async within<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
		this.signal.throwIfAborted();
		const scope = await Scope.open(this.path('r'), this.signal);
		try {
			return await work(scope);
		} finally {
			await scope.close();
		}
	}

	async close(): Promise<void> {
		for (const end of this.#endings.toReversed()) await end();
		await rm(this.directory, { recursive: true, force: true });
	}
}
