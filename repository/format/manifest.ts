import * as z from 'zod';
import { type DiskImage, diskImageSchema } from '../../model/chunk.ts';
import { machineConfigSchema, machineNameSchema } from '../../model/machine.ts';
import { pointTimeSchema } from '../../model/names.ts';
import { limits } from './limits.ts';
import { isShallowMember, openSealedJson, sealJson } from './sealed-json.ts';
import { exactBytes } from '../../model/format-bytes.ts';

const type = 'rouse-manifest';

export const manifestFields = z.strictObject({
	repositoryId: z.uuid(),
	machine: machineNameSchema,
	time: pointTimeSchema,
	/** Of the import that made it: who finds the point there already knows whether it was he. */
	importId: z.uuid(),
	config: machineConfigSchema,
	/** For tools: nothing of it is needed to recover the machine, and nothing is refused. */
	facts: z
		.record(z.string(), z.unknown())
		.refine(
			facts => Buffer.byteLength(JSON.stringify(facts)) <= limits.factsBytes,
			`at most ${limits.factsBytes} bytes`,
		)
		.refine(isShallowMember, 'nested too deep'),
	disks: z.array(diskImageSchema).min(1).max(64),
});

/** Whether a disk of a restore point may be so large. */
export function isDiskSize({ sizeBytes, chunkSizeBytes }: { sizeBytes: number; chunkSizeBytes: number }): boolean {
	return sizeBytes <= limits.diskBytes && Math.ceil(sizeBytes / chunkSizeBytes) <= limits.diskChunks;
}

/** A disk has a root when, and only when, it has data; and neither more data nor more missing than there is of it. */
function agreesWithItself({ sizeBytes, dataBytes, root, missing }: DiskImage): boolean {
	const missingEnd = missing ? missing.atBytes + missing.lengthBytes : 0;
	return (root === undefined) === (dataBytes === 0) && dataBytes <= sizeBytes && missingEnd <= sizeBytes;
}

/** A restore point: it exists when this is in place (docs/format.md, "Manifest"). */
export const manifestSchema = manifestFields
	.refine(
		({ config, disks }) => config.disks.length === disks.length,
		'the configuration tells of another number of disks than there are',
	)
	.refine(
		({ disks }) => disks.every(isDiskSize),
		`a disk has at most ${exactBytes(limits.diskBytes)} and ${limits.diskChunks} chunks`,
	)
	.refine(
		({ disks }) => disks.every(agreesWithItself),
		'what a disk says of its data does not fit its size or its root',
	);
export type Manifest = z.infer<typeof manifestSchema>;

export function encodeManifest(manifest: Manifest): Buffer {
	return sealJson(type, manifestSchema.parse(manifest));
}

/** Throws `repository_unsupported` or `format_damaged`. `key` is where it was found. */
export function decodeManifest(bytes: Uint8Array, key: string): Manifest {
	return openSealedJson(type, manifestSchema, bytes, key);
}
