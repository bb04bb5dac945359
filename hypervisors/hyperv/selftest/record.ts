import { join } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../../../model/errors.ts';
import { removeFileDurably, replaceFileDurably } from '../../../system/durable-file.ts';
import { readIfThere } from '../../../system/if-there.ts';

const recordSchema = z.strictObject({
	version: z.literal(0),
	/** In the notes of its machine on the host, and in the names of its files. */
	recoveryId: z.uuid(),
	diskBytes: z.int().min(1),
	/** Where it made things, whatever is configured by now. */
	datastore: z.string(),
	appliance: z.string(),
});
/** Of one self test: durable before it makes anything, and gone when nothing of it is left. */
export type SelftestRecord = z.infer<typeof recordSchema>;

const recordPath = (directory: string) => join(directory, 'selftest.json');

export async function readRecord(directory: string): Promise<SelftestRecord | undefined> {
	const path = recordPath(directory);
	const text = await readIfThere(path);
	if (text === undefined) return undefined;
	const parsed = recordSchema.safeParse(JSON.parse(text));
	if (parsed.success) return parsed.data;
	throw new RouseError('format_damaged', `${path} is no record of a self test`, {
		cause: parsed.error,
		hint: `look in Hyper-V Manager for a machine rouse-selftest, remove it and ${path}`,
	});
}

export async function writeRecord(directory: string, record: SelftestRecord): Promise<void> {
	await replaceFileDurably(recordPath(directory), `${JSON.stringify(record)}\n`);
}

/** Nothing of it is left. */
export async function removeRecord(directory: string): Promise<void> {
	await removeFileDurably(recordPath(directory));
}
