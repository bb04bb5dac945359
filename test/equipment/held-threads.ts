import type { TestContext } from 'node:test';
import { CopyThreads } from '../../repository/copy/copy-threads.ts';
import { waitFor } from '../../system/wait.ts';

/** Threads that copy from a repository's directory, and that a test can hold up before they write. */
export class HeldThreads {
	readonly threads: CopyThreads;
	/** How often one was about to write; 1: they wait there, 2: they die there, 3: what they read is away. */
	readonly #shared = new Int32Array(new SharedArrayBuffer(8));

	constructor(t: Pick<TestContext, 'after'>, repository: string, most = 1) {
		const entry = new URL('copying-thread.ts', import.meta.url);
		this.threads = new CopyThreads({ entry, setup: { repository, shared: this.#shared }, most });
		t.after(async () => {
			this.release();
			await this.threads.close();
		});
	}

	hold(): void {
		Atomics.store(this.#shared, 1, 1);
	}

	release(): void {
		Atomics.store(this.#shared, 1, 0);
		Atomics.notify(this.#shared, 1);
	}

	/** From now on each dies before it writes. */
	kill(): void {
		Atomics.store(this.#shared, 1, 2);
		Atomics.notify(this.#shared, 1);
	}

	/** From now on they can read nothing. */
	away(): void {
		Atomics.store(this.#shared, 1, 3);
		Atomics.notify(this.#shared, 1);
	}

	get writes(): number {
		return Atomics.load(this.#shared, 0);
	}

	async aboutToWrite(after = 0): Promise<void> {
		await waitFor('a thread is about to write', () => this.writes > after, { timeoutMs: 30_000 });
	}
}
