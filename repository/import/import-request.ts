import type * as z from 'zod';
import type { MachineConfig } from '../../model/machine.ts';
import type { Clock } from '../../system/clock.ts';
import { RouseError } from '../../model/errors.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { refusalText } from '../../model/issue-text.ts';
import { limits } from '../format/limits.ts';
import { isDiskSize, manifestFields } from '../format/manifest.ts';
import type { Repository } from '../repository.ts';
import type { StoredDisk } from '../stored-disk.ts';
import type { DiskSource } from './disk-source.ts';
import { type BaseName, baseNameSchema } from './intent.ts';
import type { ImportThreads } from './segment-threads.ts';

export interface ImportRequest {
	repository: Repository;
	/** Name of the machine. */
	machine: string;
	/** Full time of the new point: model/names.ts, `pointTimeSchema`. */
	time: string;
	/** The machine's disks in their order. Not closed. */
	sources: readonly DiskSource[];
	config: MachineConfig | ConfigOfStored;
	/** For tools: what stands in the manifest's `facts`. At most 64 KiB as JSON. */
	facts?: Readonly<Record<string, unknown>>;
	/**
	 * The machine's point that {@link DiskSource.baseDisk} and `unchanged` speak of. All attempts of an import must name the same one.
	 * What cannot be taken from it, for whatever reason, is read from the source, and told in the result's warnings.
	 */
	base?: BaseName | null;
	/** Of an earlier attempt, to go on with it; a new one by default. */
	importId?: string;
	/** Names the state of the sources; null, the default, for one that has no name: then nobody can go on with this import. */
	moment?: string | null;
	/** Size at which a pack is put into the store. */
	packBytes?: number;
	threads?: ImportThreads;
}

/**
 * Called when all data is stored, and before the manifest: for who looks at the disks, which need not be read from their source
 * once more. What it throws ends the import, so what cannot be found out should be told in the configuration instead.
 */
export type ConfigOfStored = (disks: readonly StoredDisk[], signal: AbortSignal) => Promise<MachineConfig>;

export interface ImportProgress {
	disk: number;
	doneBytes: number;
	totalBytes: number;
	/** Of this import so far. */
	newBytes: number;
}

export interface ImportOptions {
	signal?: AbortSignal | undefined;
	clock?: Clock;
	progress?: ((progress: ImportProgress) => void) | undefined;
	/** Name of a step that was just reached: `intent`, `known`, `disk`, `data`, `pages`, `checked`, `manifest`. */
	reached?: ((place: string) => void) | undefined;
}

/** Everything that is decided before the first byte is read. */
export type ImportPlan = ImportRequest & Required<Pick<ImportRequest, 'importId' | 'moment' | 'base' | 'facts'>>;

/** What the manifest would refuse in the end is refused before hours of reading. Throws `usage`, `source_invalid`. */
export function checkRequest({
	repository: { chunkSizeBytes },
	machine,
	time,
	config,
	facts = {},
	base = null,
	sources,
}: Pick<ImportRequest, 'repository' | 'machine' | 'time' | 'config' | 'facts' | 'base' | 'sources'>): void {
	checkDiskCount(sources.length);
	refuseUnless(requestFields, { machine, time, facts, base });
	if (typeof config !== 'function') checkConfig(config, sources.length);
	const empty = sources.findIndex(({ sizeBytes }) => !(sizeBytes >= 1));
	if (empty >= 0) throw new RouseError('source_invalid', `disk ${empty} is empty: it has no byte`);
	for (const [disk, { sizeBytes }] of sources.entries())
		if (!isDiskSize({ sizeBytes, chunkSizeBytes }))
			throw new RouseError(
				'source_invalid',
				`disk ${disk} has ${formatBytes(sizeBytes)}, more than ${formatBytes(Math.min(limits.diskBytes, limits.diskChunks * chunkSizeBytes))}`,
			);
}

const requestFields = manifestFields
	.pick({ machine: true, time: true, facts: true })
	.extend({ base: baseNameSchema.nullable() });

/** Of so many disks. Throws `usage`. */
export function checkConfig(config: MachineConfig, disks: number): void {
	checkDiskCount(disks);
	refuseUnless(manifestFields.pick({ config: true }), { config });
	if (config.disks.length !== disks)
		throw new RouseError(
			'usage',
			`the configuration tells of ${config.disks.length} disk(s), and ${disks} are to be imported`,
		);
}

function checkDiskCount(disks: number): void {
	if (disks < 1 || disks > 64) throw new RouseError('usage', `a machine has 1 to 64 disks, not ${disks}`);
}

function refuseUnless(schema: z.ZodType, value: unknown): void {
	const parsed = schema.safeParse(value);
	if (!parsed.success) throw new RouseError('usage', refusalText(parsed.error), { cause: parsed.error });
}

export function pointExists(machine: string, time: string): RouseError {
	return new RouseError('point_exists', `${machine}@${time} exists already`, {
		hint: 'a restore point never changes; import under another time',
		details: { machine, restorePoint: time },
	});
}
