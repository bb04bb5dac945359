/** What processes and all that they have started take, by proc(5). */
import { readdir, readFile } from 'node:fs/promises';
import { isErrno } from '../../system/durable-file.ts';

/** USER_HZ: 100 on every architecture that Node runs on. */
const ticksPerSecond = 100;

/** The processes and all beneath them that are there now. */
async function treeOf(roots: readonly number[]): Promise<number[]> {
	const found = [...roots];
	for (const pid of found)
		for (const thread of (await unlessGone(readdir(`/proc/${pid}/task`))) ?? []) {
			const children = await unlessGone(readFile(`/proc/${pid}/task/${thread}/children`, 'utf8'));
			for (const child of (children ?? '').split(' ')) if (child !== '') found.push(Number(child));
		}
	return found;
}

/** Proportional set size: what they have for themselves, and their share of what they have with others. */
export async function pssMiB(roots: readonly number[]): Promise<number> {
	let kiB = 0;
	for (const pid of await treeOf(roots)) {
		const text = await unlessGone(readFile(`/proc/${pid}/smaps_rollup`, 'utf8'));
		kiB += Number(/^Pss:\s+(\d+) kB/m.exec(text ?? '')?.[1] ?? 0);
	}
	return kiB / 1024;
}

/** Processor time, user and system; of what has ended only as far as its parent has taken note of it. */
export async function cpuSecondsOf(roots: readonly number[]): Promise<number> {
	let ticks = 0;
	for (const pid of await treeOf(roots)) {
		const stat = (await unlessGone(readFile(`/proc/${pid}/stat`, 'utf8'))) ?? '';
		// utime, stime, cutime and cstime are the fields 14 to 17; the name before them may hold anything.
		const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
		for (const field of fields.slice(11, 15)) ticks += Number(field);
	}
	return ticks / ticksPerSecond;
}

/** Looks at the memory of processes again and again until it is told to end. */
export class MemoryWatch {
	readonly #timer: NodeJS.Timeout;
	#peakMiB = 0;
	#look: Promise<void> = Promise.resolve();
	#looking = false;

	constructor(roots: readonly number[], everyMs: number) {
		const look = async () => {
			this.#peakMiB = Math.max(this.#peakMiB, await pssMiB(roots));
			this.#looking = false;
		};
		this.#timer = setInterval(() => {
			if (this.#looking) return; // the machine is busy: one look at a time
			this.#looking = true;
			this.#look = look();
			this.#look.catch(() => {}); // told by end()
		}, everyMs);
	}

	/** The most that it has seen. */
	async end(): Promise<number> {
		clearInterval(this.#timer);
		await this.#look;
		return this.#peakMiB;
	}
}

async function unlessGone<T>(reading: Promise<T>): Promise<T | undefined> {
	try {
		return await reading;
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return undefined;
		throw error;
	}
}
