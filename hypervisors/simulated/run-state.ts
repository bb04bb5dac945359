import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';
import type { MachineDefinition } from '../contract.ts';
import { exclusively } from './exclusion.ts';
import type { MachineMemory } from './memory.ts';
import type { MachinePaths } from './paths.ts';

/** How one disk of a running machine is put together. */
const runningDiskSchema = z.strictObject({
	/** What is below the overlay. */
	below: z.enum(['mover', 'target']),
	/** There is no overlay any more: the guest is on the target itself. */
	alone: z.boolean(),
	/** Of the overlay into the target, under way: how much of the overlay's file was copied. */
	commit: z
		.strictObject({
			copiedBytes: z.int().min(0),
			/** All of it. What is written to the overlay now would be lost. */
			halfway: z.boolean(),
		})
		.nullable(),
});
export type RunningDisk = z.infer<typeof runningDiskSchema>;

/**
 * All of a machine that is gone with its power: what a process or a service holds in memory. In a file, so that whoever
 * comes next finds the machine running, in this process or another.
 */
const runStateSchema = z.strictObject({
	recoveryId: z.uuid(),
	/** Of the machine: from its power-on to its power-off. */
	instance: z.string(),
	/** Of the guest: from one reset to the next. */
	boot: z.string(),
	/** `paused`: by the switch. `off`: the guest has powered itself off, and the platform has not forgotten it yet. */
	guest: z.enum(['running', 'paused', 'io-error', 'crashed', 'off']),
	/** Answers nobody. */
	frozen: z.boolean(),
	shutdownAsked: z.boolean(),
	ioError: z.strictObject({ disk: z.string(), operation: z.enum(['read', 'write']), noSpace: z.boolean() }).nullable(),
	/** Why it crashed. */
	crash: z.string().nullable(),
	disks: z.array(runningDiskSchema),
});
export type RunState = z.infer<typeof runStateSchema>;

export type Save = (next: RunState | undefined) => void;

/** What runs of one machine: undefined is nothing. */
export class Running {
	readonly #definition: MachineDefinition;
	readonly #paths: MachinePaths;
	readonly #memory: MachineMemory;

	constructor(definition: MachineDefinition, paths: MachinePaths, memory: MachineMemory) {
		this.#definition = definition;
		this.#paths = paths;
		this.#memory = memory;
	}

	/** `identity_conflict` when it is the machine of another recovery. */
	read(): RunState | undefined {
		let text: string;
		try {
			text = readFileSync(this.#paths.run, 'utf8');
		} catch (error) {
			if (isErrno(error, 'ENOENT')) return undefined;
			throw error;
		}
		const run = runStateSchema.parse(JSON.parse(text));
		if (run.recoveryId !== this.#definition.recoveryId)
			throw new RouseError(
				'identity_conflict',
				`${this.#paths.run} tells of the machine of recovery ${run.recoveryId}, not of ${this.#definition.recoveryId}`,
			);
		return run;
	}

	/**
	 * `work` must not wait: nobody else changes anything of the machine, or writes to its disks, until it returns. Without a
	 * run directory nothing runs, and only {@link makePlace} makes one: whoever comes late must leave none behind.
	 */
	alone<T>(work: (run: RunState | undefined, save: Save) => T): T {
		let saved = false;
		const save: Save = next => {
			this.#save(next);
			saved = true;
		};
		const result = exclusively(
			this.#paths.lock,
			() => work(this.read(), save),
			() => work(undefined, save),
		);
		if (saved) this.#memory.changed();
		return result;
	}

	/** For a machine that is about to run. */
	makePlace(): void {
		mkdirSync(dirname(this.#paths.run), { recursive: true, mode: 0o700 });
	}

	/** Whole or not at all, whoever is killed. */
	#save(next: RunState | undefined): void {
		if (next === undefined) {
			rmSync(this.#paths.run, { force: true });
			for (const disk of this.#definition.disks) rmSync(this.#paths.unflushed(disk), { force: true });
			return;
		}
		const temporary = `${this.#paths.run}.new`; // there is one writer
		writeFileSync(temporary, JSON.stringify(next), { mode: 0o600 });
		renameSync(temporary, this.#paths.run);
	}
}
