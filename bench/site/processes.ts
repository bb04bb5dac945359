/** Processor time and memory of programs that run, with all that they have started; proc_pid_stat(5), proc_pid_status(5). */
import { readdir, readFile } from 'node:fs/promises';
import * as z from 'zod';

/** USER_HZ, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

export const usedSchema = z.object({
	cpuSeconds: z.number(),
	/** Resident, the most that was seen at once; what several processes share counts once. */
	peakMiB: z.number(),
});
export type Used = z.infer<typeof usedSchema>;

interface Process {
	parent: number;
	/** With its children that have ended and been waited for. */
	ticks: number;
}

/** Looks again and again at programs by their pids, each under a name; one that another has started counts for itself. */
export class ProcessWatch {
	readonly #programs: ReadonlyMap<string, number>;
	readonly #began = new Map<string, number>();
	readonly #used = new Map<string, Used>();

	constructor(programs: ReadonlyMap<string, number>) {
		this.#programs = programs;
	}

	async look(): Promise<void> {
		const processes = await allProcesses();
		for (const [name, pid] of this.#programs) {
			const tree = this.#treeOf(pid, processes);
			const seconds = tree.reduce((sum, one) => sum + (processes.get(one)?.ticks ?? 0), 0) / ticksPerSecond;
			const began = this.#began.get(name) ?? seconds;
			this.#began.set(name, began);
			const before = this.#used.get(name);
			this.#used.set(name, {
				// What a child had used that nobody waited for is gone with it.
				cpuSeconds: Math.max(before?.cpuSeconds ?? 0, seconds - began),
				peakMiB: Math.max(before?.peakMiB ?? 0, await residentMiB(tree)),
			});
		}
	}

	#treeOf(root: number, processes: ReadonlyMap<number, Process>): number[] {
		const others = new Set(this.#programs.values());
		const tree = [root];
		for (const one of tree)
			for (const [pid, { parent }] of processes) if (parent === one && !others.has(pid)) tree.push(pid);
		return tree;
	}

	/** Since the first look. */
	get used(): Record<string, Used> {
		return Object.fromEntries(this.#used);
	}
}

async function allProcesses(): Promise<Map<number, Process>> {
	const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger);
	const found = new Map<number, Process>();
	for (const pid of pids) {
		const stat = await textOf(pid, 'stat');
		// The program's name, in parentheses, may have any character in it.
		const fields = stat
			.slice(stat.lastIndexOf(')') + 2)
			.split(' ')
			.map(Number);
		const [, parent] = fields;
		if (parent === undefined) continue;
		const ticks = fields.slice(11, 15).reduce((sum, field) => sum + field, 0);
		found.set(pid, { parent, ticks });
	}
	return found;
}

async function residentMiB(pids: readonly number[]): Promise<number> {
	const statuses = await Promise.all(pids.map(pid => textOf(pid, 'status')));
	const of = (field: string) =>
		statuses.map(status => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) / 1024);
	const own = of('RssAnon').reduce((sum, one) => sum + one, 0);
	return Math.round(own + Math.max(...of('RssFile')) + Math.max(...of('RssShmem')));
}

/** Empty of one that has ended. */
async function textOf(pid: number, file: string): Promise<string> {
	return readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
}
