import { asRouseError } from '../../model/errors.ts';
import { isSpaceShort } from '../../system/durable-file.ts';
import { inHand, readHoles } from './base.ts';
import type { DiskWrite } from './block-journal.ts';
import type { DiskStack, Hole, Layers } from './disk-stack.ts';
import type { MachineParts } from './parts.ts';
import { freshGuest } from './power.ts';
import type { RunState } from './run-state.ts';

/**
 * Acts as the guest of a simulated machine. Nothing it asks for is done while it does not run: the answer is false then, or
 * undefined. A request that fails stops the guest and waits: it is tried again when the guest goes on, and lost when the
 * guest is reset or loses its power, or when the process ends that made it.
 */
export class SimulatedGuest {
	readonly #parts: () => MachineParts;

	constructor(parts: () => MachineParts) {
		this.#parts = parts;
	}

	/** Names one boot of the guest; undefined while it is off. */
	get boot(): string | undefined {
		const run = this.#parts().running.read();
		return run && run.guest !== 'off' ? run.boot : undefined;
	}

	/** It was asked to shut down since it booted. */
	get shutdownAsked(): boolean {
		return this.#parts().running.read()?.shutdownAsked === true;
	}

	/**
	 * Of whole sectors; a number is so many zeros. Without `flush` a loss of power takes it away, as `flush` does not. With
	 * `copyOnWrite` the rest of its block has to come from below the overlay first, as with QEMU for less than a block.
	 */
	write(
		disk: number,
		offsetBytes: number,
		data: Buffer | number,
		{ flush = true, copyOnWrite = false } = {},
	): Promise<boolean> {
		const write: DiskWrite =
			typeof data === 'number'
				? { offsetBytes, lengthBytes: data, data: undefined }
				: { offsetBytes, lengthBytes: data.length, data };
		const put: Act = (stack, layers) => {
			stack.write(layers, write, { flush });
			return [];
		};
		if (!copyOnWrite) return this.#request(disk, 'write', put);
		const block = offsetBytes - (offsetBytes % blockBytes);
		const readBlock: Act = (stack, layers) => stack.read(layers, block, Buffer.alloc(blockBytes));
		return this.#request(disk, 'write', readBlock, put);
	}

	flush(disk: number): Promise<boolean> {
		return this.#request(disk, 'write', (stack, layers) => {
			stack.flush(layers);
			return [];
		});
	}

	/** Whole sectors. */
	async read(disk: number, offsetBytes: number, lengthBytes: number): Promise<Buffer | undefined> {
		const into = Buffer.alloc(lengthBytes);
		const done = await this.#request(disk, 'read', (stack, layers) => stack.read(layers, offsetBytes, into));
		return done ? into : undefined;
	}

	/** Writes what it has in hand and powers itself off. */
	powerOff(): boolean {
		const parts = this.#parts();
		return parts.running.alone((run, save) => {
			if (!runs(parts, run)) return false;
			for (const [index, stack] of parts.stacks.entries()) stack.flush(layersOf(run, index));
			save({ ...run, guest: 'off' });
			return true;
		});
	}

	/** Reboots. Where the platform waits for reads, it does so in this. */
	async reset(): Promise<boolean> {
		const parts = this.#parts();
		const { memory, running, settings } = parts;
		const boot = this.boot;
		if (!runs(parts, running.read())) return false;
		if (settings.manner.readsHoldCalls) {
			memory.resetting = true;
			while (memory.resetting && memory.reads.size > 0) await Promise.all(memory.reads);
		}
		memory.dropReads();
		return running.alone((run, save) => {
			if (run?.boot !== boot || run === undefined) return false;
			// One that a failed read has stopped meanwhile stands there until somebody lets it go on.
			const { guest, ioError } = run;
			save({ ...run, ...freshGuest(), ...(guest === 'io-error' ? { guest, ioError } : {}) });
			return true;
		});
	}

	/** Comes to a state that only a reset leads out of. */
	crash(reason: string): boolean {
		const parts = this.#parts();
		return parts.running.alone((run, save) => {
			if (!runs(parts, run)) return false;
			save({ ...run, guest: 'crashed', crash: reason });
			return true;
		});
	}

	async #request(disk: number, operation: 'read' | 'write', ...acts: Act[]): Promise<boolean> {
		const parts = this.#parts();
		const { boot } = this;
		if (boot === undefined) return false;
		const request = { disk, operation, boot };
		for (let [first, at] = [true, 0]; ; first = false) {
			const act = acts[at];
			if (act === undefined) return true;
			const holes = attempt(parts, request, act);
			if (first && holes === 'refused') return false;
			if (Array.isArray(holes) && (holes.length === 0 || (await fromMover(parts, request, holes)))) at += 1;
			else if (!(await goesOn(parts, boot))) return false;
		}
	}
}

/** A part of a request; returns what the mount mover has to answer of it. */
type Act = (stack: DiskStack, layers: Layers) => Hole[];

/** Of the overlay: a subcluster of hypervisors/qemu/overlay.ts. */
const blockBytes = 4096;

interface Request {
	disk: number;
	operation: 'read' | 'write';
	boot: string;
}

/** What the mount mover has to answer of it. `refused`: the guest does not run; `failed`: it has stopped at it. */
function attempt(parts: MachineParts, { disk, operation, boot }: Request, act: Act): Hole[] | 'refused' | 'failed' {
	const { running, stacks, settings, definition } = parts;
	const stack = stacks[disk];
	if (stack === undefined) throw new RangeError(`the machine has no disk ${disk}`);
	return running.alone((run, save) => {
		if (!runs(parts, run) || run.boot !== boot) return 'refused';
		const layers = layersOf(run, disk);
		const refusal = settings.faults.refusal(layers.alone ? 'target' : 'overlay', definition);
		const fail = (noSpace: boolean) => {
			save(stopped(parts, run, { disk, operation, noSpace }));
			return 'failed' as const;
		};
		if (operation === 'write' && refusal) return fail(refusal.noSpace);
		try {
			return act(stack, layers);
		} catch (error) {
			if (!(error instanceof Error && 'syscall' in error)) throw error;
			return fail(isSpaceShort(error));
		}
	});
}

/** True when it was answered; an error stops the guest. */
function fromMover(parts: MachineParts, { disk, operation, boot }: Request, holes: readonly Hole[]): Promise<boolean> {
	const { running, memory } = parts;
	const { power } = memory;
	return inHand(parts, async () => {
		try {
			await readHoles(parts, disk, holes, power);
			return true;
		} catch (error) {
			if (power.aborted) return false;
			if (asRouseError(error).code !== 'io_failed') throw error;
			running.alone((run, save) => {
				if (run?.boot === boot) save(stopped(parts, run, { disk, operation, noSpace: false }));
			});
			return false;
		}
	});
}

/** When another process lets a guest go on, this one learns of it so late. */
const lookAgainMs = 50;

/** False when the guest's boot has ended, and with it what it had asked for. */
async function goesOn({ memory, running, settings }: MachineParts, boot: string): Promise<boolean> {
	for (;;) {
		const change = memory.nextChange();
		const run = running.read();
		if (run === undefined || run.boot !== boot || run.guest === 'off') return false;
		if (runs({ memory }, run)) return true;
		const over = new AbortController();
		const late = settings.clock.delay(lookAgainMs, over.signal).catch(() => undefined); // only ever aborted
		await Promise.race([change, late]);
		over.abort();
	}
}

function runs({ memory }: Pick<MachineParts, 'memory'>, run: RunState | undefined): run is RunState {
	return run !== undefined && run.guest === 'running' && !run.frozen && !memory.resetting;
}

/** A guest that the switch has paused stays so; the failed request is tried again when it goes on. */
function stopped(
	{ definition }: MachineParts,
	run: RunState,
	{ disk, operation, noSpace }: Pick<Request, 'disk' | 'operation'> & { noSpace: boolean },
): RunState {
	const ioError = { disk: definition.disks[disk]?.name ?? '', operation, noSpace };
	if (run.guest !== 'running' && run.guest !== 'paused') return run;
	return { ...run, guest: run.guest === 'running' ? 'io-error' : 'paused', ioError };
}

function layersOf(run: RunState, disk: number): Layers {
	const layers = run.disks[disk];
	if (layers === undefined) throw new RangeError(`the machine has no disk ${disk}`);
	return layers;
}
