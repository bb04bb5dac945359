import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { statedSpecSchema } from '../../model/machine.ts';
import { diskKeySchema, identitySchema, leftOutSchema, printable } from '../../model/source-facts.ts';
import { isErrno } from '../../system/durable-file.ts';

/**
 * How the platform of a simulated machine knows what changed: like a cloud, by comparing snapshots that it keeps, or like a
 * hypervisor, by bitmaps in which it records writes.
 */
const flavourSchema = z.enum(['snapshots', 'bitmaps']);
export type Flavour = z.infer<typeof flavourSchema>;

/** A disk's file has its key as its name. */
const simulatedKeySchema = diskKeySchema.regex(/^[a-z0-9][a-z0-9-]*$/);

export const simulatedMachineSchema = z.strictObject({
	flavour: flavourSchema,
	identity: identitySchema,
	name: printable(200),
	config: statedSpecSchema,
	leftOut: leftOutSchema,
	disks: z.array(z.strictObject({ key: simulatedKeySchema, sizeBytes: z.int().min(1) })).max(64),
});
export type SimulatedMachine = z.infer<typeof simulatedMachineSchema>;

/** What is where in the directory of a simulated machine. */
export class MachineFiles {
	readonly directory: string;

	constructor(directory: string) {
		this.directory = directory;
	}

	get machine(): string {
		return join(this.directory, 'machine.json');
	}
	get faults(): string {
		return join(this.directory, 'faults.json');
	}
	/** A line for each read that was answered: tag, key, offset, length. */
	get reads(): string {
		return join(this.directory, 'reads.log');
	}
	/** While it is there, somebody else is at work on the machine. */
	get busy(): string {
		return join(this.directory, 'busy');
	}
	disk(key: string): string {
		return join(this.directory, 'disks', key);
	}
	/** One directory for each tag; in it one for each begin. */
	get sets(): string {
		return join(this.directory, 'sets');
	}
	/** One directory for each tag; in it a file for each disk. */
	get bitmaps(): string {
		return join(this.directory, 'bitmaps');
	}
}

/** Undefined when it is not there. */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
	try {
		return schema.parse(JSON.parse(await readFile(path, 'utf8')));
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
}

/** Whole or not at all, however the process ends; nothing here has to outlive the computer. */
export async function writeJson(path: string, value: unknown): Promise<void> {
	await writeFile(`${path}.new`, JSON.stringify(value));
	await rename(`${path}.new`, path);
}

/** Sorted; none when there is no such directory. */
export async function namesIn(directory: string): Promise<string[]> {
	try {
		return (await readdir(directory)).toSorted();
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return [];
		throw error;
	}
}
