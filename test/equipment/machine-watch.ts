/** Looks at all processes of this machine: how many QEMUs of one recovery there are, whoever has started them. */
import { readdir, readFile } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

const lookEveryMs = 200;

export class MachineWatch {
	/** By recoveryId: the most that were seen at once. */
	readonly most = new Map<string, number>();
	readonly #end = new AbortController();
	readonly #looking: Promise<void>;

	/** Looks until the test is over. */
	constructor(t: Pick<TestContext, 'after'>) {
		this.#looking = this.#look();
		t.after(() => this.stop());
	}

	async stop(): Promise<void> {
		this.#end.abort();
		await this.#looking;
	}

	async #look(): Promise<void> {
		const { signal } = this.#end;
		while (!signal.aborted) {
			const counts = new Map<string, number>();
			for (const id of await machines()) counts.set(id, (counts.get(id) ?? 0) + 1);
			for (const [id, count] of counts) this.most.set(id, Math.max(count, this.most.get(id) ?? 0));
			await delay(lookEveryMs, undefined, { signal }).catch(() => undefined);
		}
	}
}

/** Of each process that is a machine, the recovery: hypervisors/qemu/command-line.ts says it as the machine's uuid. */
async function machines(): Promise<string[]> {
	const found: string[] = [];
	for (const pid of await readdir('/proc')) {
		if (!/^\d+$/.test(pid)) continue;
		const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
		const uuid = words[words.indexOf('-uuid') + 1];
		if (words[0]?.includes('qemu-system') && words.includes('-uuid') && uuid !== undefined) found.push(uuid);
	}
	return found;
}
