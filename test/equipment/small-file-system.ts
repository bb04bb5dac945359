import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { isSpaceShort } from '../../system/durable-file.ts';

const run = promisify(execFile);

/** A real file system of its own, small enough to be filled: ext4 in a file, mounted by loop, which takes root. */
export class SmallFileSystem {
	/** Where it is mounted. */
	readonly directory: string;
	readonly #firsts: (() => Promise<unknown>)[] = [];
	#fillers = 0;

	private constructor(directory: string) {
		this.directory = directory;
	}

	/** Gone with the test. */
	static async create(t: Pick<TestContext, 'after'>, { sizeMiB = 24 } = {}): Promise<SmallFileSystem> {
		const outside = await mkdtemp(join(tmpdir(), 'rouse-small-'));
		const small = new SmallFileSystem(join(outside, 'mounted'));
		t.after(async () => {
			for (const first of small.#firsts) await first();
			// Lazily: what stands for processes of their own holds files until the test's process ends.
			await run('umount', ['--lazy', small.directory]);
			await rm(outside, { recursive: true });
		});
		await mkdir(small.directory);
		const image = join(outside, 'image');
		const file = await open(image, 'w');
		await file.truncate(sizeMiB * 1024 * 1024);
		await file.close();
		// No blocks kept for root: the test is root, and would write on.
		await run('mkfs.ext4', ['-q', '-F', '-b', '4096', '-m', '0', image]);
		await run('mount', ['-o', 'loop', image, small.directory]);
		return small;
	}

	/** Done before it is unmounted. */
	after(hook: () => Promise<unknown>): void {
		this.#firsts.push(hook);
	}

	/** Somebody else's files take it to the last block. */
	async fill(): Promise<void> {
		while (await this.#take(1024 * 1024));
		// Twice: what was removed or replaced lately is free only once the journal says so, and that a write does.
		for (let round = 0; round < 2; round++) while (await this.#take(4096));
	}

	/** False when there was no room for so much. In a file of its own: a long one takes blocks to know its blocks by. */
	async #take(bytes: number): Promise<boolean> {
		this.#fillers += 1;
		const file = await open(join(this.directory, `filler-${this.#fillers}`), 'w');
		try {
			await file.writeFile(Buffer.alloc(bytes, 1));
			await file.sync();
			return true;
		} catch (error) {
			if (!isSpaceShort(error)) throw error;
			await file.truncate(0);
			await file.sync();
			return false;
		} finally {
			await file.close();
		}
	}

	/** They go away again. */
	async makeRoom(): Promise<void> {
		for (const name of await readdir(this.directory))
			if (name.startsWith('filler-')) await rm(join(this.directory, name));
	}
}
