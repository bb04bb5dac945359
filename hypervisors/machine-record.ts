import * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { createFileDurably, replaceFileDurably } from '../system/durable-file.ts';
import { readIfThere } from '../system/if-there.ts';
import type { MachineDefinition } from './contract.ts';

/** What every platform's has, beside a version. */
export const recordFields = {
	recoveryId: z.uuid(),
	/** The protective snapshot was made. One that is missing now was lost, with the guest's writes in it. */
	snapshotMade: z.boolean(),
} as const;

interface AnyRecord {
	recoveryId: string;
}

type Place = { record: string };

/** A platform's own record of a machine: a file beside its disks, known by the recovery that it is of. */
export class MachineRecords<T extends AnyRecord> {
	readonly #schema: z.ZodType<T>;

	constructor(schema: z.ZodType<T>) {
		this.#schema = schema;
	}

	/** Undefined when there is none; `identity_conflict` when it is another recovery's. */
	async read({ directory, recoveryId }: MachineDefinition, { record: path }: Place): Promise<T | undefined> {
		const text = await readIfThere(path);
		if (text === undefined) return undefined;
		const record = this.#schema.parse(JSON.parse(text));
		if (record.recoveryId === recoveryId) return record;
		throw new RouseError(
			'identity_conflict',
			`${directory} holds the machine of recovery ${record.recoveryId}, not of ${recoveryId}`,
		);
	}

	/** The same of a machine that must have been created. */
	async of(definition: MachineDefinition, place: Place): Promise<T> {
		const record = await this.read(definition, place);
		if (record) return record;
		throw new RouseError('phase_wrong', `${definition.directory}: no machine was created here`);
	}

	/** Leaves one that is there as it is. */
	async create(definition: MachineDefinition, place: Place, record: T): Promise<void> {
		await createFileDurably(place.record, document(record));
		await this.of(definition, place);
	}

	/** Durable when it resolves; nothing is written when nothing changes. */
	async change(definition: MachineDefinition, place: Place, change: Partial<T>): Promise<void> {
		const found = await this.of(definition, place);
		const next = document({ ...found, ...change });
		if (next !== document(found)) await replaceFileDurably(place.record, next);
	}
}

function document(record: AnyRecord): string {
	return `${JSON.stringify(record)}\n`;
}
