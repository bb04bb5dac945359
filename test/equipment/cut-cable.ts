/** A host of its own, a network namespace, at the end of a cable that can be cut. Needs root; all of it goes with the test. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);

export class CutCable {
	/** The other host's, as `ip netns` knows it. */
	readonly namespace: string;
	/** The other host's address. */
	readonly address: string;
	/** Ours. */
	readonly nearAddress: string;
	readonly #near: string;
	readonly #far: string;

	private constructor(id: string, net: string) {
		this.namespace = `rouse-test-${id}`;
		this.#near = `rtn${id}`;
		this.#far = `rtf${id}`;
		this.address = `${net}.2`;
		this.nearAddress = `${net}.1`;
	}

	static async laid(t: Pick<TestContext, 'after'>): Promise<CutCable> {
		const random = randomBytes(4);
		const net = `10.98.${random[0]}`;
		const cable = new CutCable(random.toString('hex'), net);
		const { namespace } = cable;
		t.after(async () => {
			await run('ip', ['netns', 'delete', namespace]).catch(() => undefined);
			await run('ip', ['link', 'delete', 'dev', cable.#near]).catch(() => undefined);
		});
		await run('ip', ['netns', 'add', namespace]);
		const far = ['peer', 'name', cable.#far, 'netns', namespace];
		await run('ip', ['link', 'add', 'dev', cable.#near, 'type', 'veth', ...far]);
		await run('ip', ['address', 'add', `${net}.1/24`, 'dev', cable.#near]);
		await run('ip', ['link', 'set', 'dev', cable.#near, 'up']);
		await cable.#inside(['address', 'add', `${net}.2/24`, 'dev', cable.#far]);
		await cable.mend();
		return cable;
	}

	/** From now on nothing comes through, and nobody is told. */
	async cut(): Promise<void> {
		await this.#inside(['link', 'set', 'dev', this.#far, 'down']);
	}

	async mend(): Promise<void> {
		await this.#inside(['link', 'set', 'dev', this.#far, 'up']);
	}

	/** All that run in the other host's network. */
	async processes(): Promise<number[]> {
		const { stdout } = await run('ip', ['netns', 'pids', this.namespace]);
		return stdout.split('\n').filter(Boolean).map(Number);
	}

	async #inside(args: readonly string[]): Promise<void> {
		await run('ip', ['-n', this.namespace, ...args]);
	}
}
