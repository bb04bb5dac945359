import { resolve } from 'node:path';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { proveZstdHandles } from '../../repository/format/zstd-proof.ts';
import { driverFamiliesIn } from '../../inspection/driver-families.ts';
import { inspectDisks } from '../../inspection/inspect.ts';
import type { MachineConfig } from '../../model/machine.ts';
import { missingWarnings } from '../../model/missing-warnings.ts';
import { type ImportResult, importMachine } from '../../repository/import/import-machine.ts';
import type { ImportProgress } from '../../repository/import/import-request.ts';
import type { Repository } from '../../repository/repository.ts';
import type { OpenedDisk } from '../../sources/disk-facts.ts';
import type { ImageFormat } from '../../sources/image-format.ts';
import { decideConfig, readStatedSpec } from '../../sources/machine-spec.ts';
import { type PartitionTable, readPartitionTable } from '../../sources/partition-table.ts';
import type { Context } from '../terminal/command.ts';
import { exactBytes, formatBytes } from '../../model/format-bytes.ts';
import { formatDuration } from '../terminal/format.ts';
import { formatLocalTime } from '../terminal/format-time.ts';
import type { Progress } from '../terminal/progress.ts';
import { afterInterruption, importAttempt } from './import-attempt.ts';
import { credentialNamed } from './credential.ts';
import { type ChosenSources, type OpenedSources, openSources, refuseChoice } from './import-sources.ts';
import { withRepository } from './restore-point.ts';

/** What was said on the command line. */
interface ImportOptions {
	machine?: string | undefined;
	spec?: string | undefined;
	configuration?: string | undefined;
	credential?: string | undefined;
	spool?: string | undefined;
	at?: string | undefined;
	future?: true | undefined;
	format?: ImageFormat | undefined;
	withBacking?: true | undefined;
	partial?: true | undefined;
	repo?: string | undefined;
}

export async function runImport(context: Context, sources: readonly string[], options: ImportOptions): Promise<void> {
	const stated = options.spec === undefined ? {} : await readStatedSpec(options.spec);
	if (options.at !== undefined && !options.future) refuseFuture(options.at);
	const now = new Date().toISOString();
	const { machine, at, format, withBacking, partial, configuration } = options;
	const credentialPath = await credentialNamed(context, options.credential);
	const spoolDirectory = options.spool === undefined ? null : resolve(options.spool);
	const given = {
		sources,
		machine,
		stated,
		format,
		withBacking,
		partial,
		configuration,
		credentialPath,
		spoolDirectory,
	};
	const order = { ...given, at, now };
	refuseChoice(order);
	const result = await withRepository(context, options.repo, repository => importSources(context, repository, order));
	for (const pack of result.unreadablePacks)
		context.output.warn(`the footer of pack ${pack} cannot be read: what lies in it was stored again`);
	for (const warning of result.warnings) context.output.warn(warning);
	context.output.result(result, importText(result));
}

/** Clocks differ by so much, and nobody means it. */
const clockSkewMs = 60_000;

/** Such a point would be the latest one for as long as that takes. */
function refuseFuture(time: string): void {
	if (Date.parse(time) <= Date.now() + clockSkewMs) return;
	throw new RouseError('usage', `--at ${time} is still to come`, { hint: 'say --future if that is right' });
}

interface ImportOrder extends ChosenSources {
	at: string | undefined;
	now: string;
}

async function importSources(context: Context, repository: Repository, order: ImportOrder): Promise<ImportResult> {
	const { output, signal } = context;
	const opened = await openSources(context, order);
	const { machine, disks, names, assumed } = opened;
	let progress: Progress | undefined;
	try {
		const tables = await Promise.all(disks.map(disk => readPartitionTable(disk, signal)));
		for (const warning of missingWarnings(disks)) output.warn(warning);
		warnOfOddSizes(context, names, disks);
		warnOfCutDisks(context, names, disks, tables);
		const config = await configOf(context, opened, tables);
		const { at, now } = order;
		const attempt = await importAttempt(repository, { machine, at, now, disks }, signal);
		if (attempt.begunAt !== undefined)
			output.message(`going on with the import begun at ${formatLocalTime(attempt.begunAt)}`);
		await proveZstdHandles();
		progress = output.progress(`importing ${machine}`);
		const facts = { unknown: assumed };
		const request = { repository, machine, ...attempt, sources: disks, config, facts };
		const result = await importMachine(request, { signal, progress: barOf(progress, disks) }).catch(
			(error: unknown) => {
				throw afterInterruption(error, { ...attempt, disks }, signal);
			},
		);
		for (const disk of disks)
			await disk.forgetKept?.().catch((error: unknown) => {
				output.warn(`what was kept of the archive is still there: ${asRouseError(error).message}`);
			});
		return result;
	} finally {
		progress?.end();
		await Promise.all(disks.map(disk => disk.close()));
	}
}

/** One bar for all disks. */
function barOf(bar: Progress, disks: readonly OpenedDisk[]): (progress: ImportProgress) => void {
	const bytesOf = (some: readonly OpenedDisk[]) => some.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
	return ({ disk, doneBytes, newBytes }) =>
		bar.update({
			done: bytesOf(disks.slice(0, disk)) + doneBytes,
			total: bytesOf(disks),
			note: `${formatBytes(newBytes)} new`,
		});
}

/** By the specification, and what of it the source and its disks tell. */
async function configOf(
	context: Context,
	{ spec, machine, driversOfSource, disks }: OpenedSources,
	tables: readonly (PartitionTable | undefined)[],
): Promise<MachineConfig> {
	const withTables = disks.map((disk, index) => ({ disk, table: tables[index] }));
	const { boot, failures } = await inspectDisks(
		withTables.map(({ disk, table }) => ({ disk, partitions: table?.partitions })),
		context.signal,
	);
	warnOfUnseen(context, failures);
	const seen = withTables.map(({ disk, table }) => ({ facts: disk.facts, table }));
	return decideConfig(spec, machine, seen, { boot, drivers: driverFamiliesIn(boot), driversOfSource });
}

function warnOfUnseen({ output }: Context, failures: readonly string[]): void {
	const [first, ...more] = failures;
	if (first === undefined) return;
	const others = more.length === 0 ? '' : `, and ${more.length} more: see rouse backup show`;
	output.warn(`how the machine boots could not be seen in full: ${first}${others}`);
}

/** The smallest disk that anything boots from; a floppy disk has more. */
const smallBytes = 2 ** 20;

function warnOfOddSizes({ output }: Context, names: readonly string[], disks: readonly OpenedDisk[]): void {
	for (const [index, { sizeBytes }] of disks.entries())
		if (sizeBytes < smallBytes)
			output.warn(`${names[index]} has ${exactBytes(sizeBytes)}, which is little: is it a disk?`);
		else if (sizeBytes % 512 !== 0)
			output.warn(`${names[index]} has ${exactBytes(sizeBytes)}, no whole number of sectors: is it a disk, and whole?`);
}

function warnOfCutDisks(
	{ output }: Context,
	names: readonly string[],
	disks: readonly OpenedDisk[],
	tables: readonly (PartitionTable | undefined)[],
): void {
	for (const [index, { sizeBytes }] of disks.entries()) {
		const ends = tables[index]?.partitions.map(({ endBytes }) => endBytes) ?? [];
		const end = Math.max(0, ...ends);
		const has = `${names[index]} has ${exactBytes(sizeBytes)}, but`;
		const diskEnd = tables[index]?.endBytes ?? 0;
		if (end > sizeBytes) output.warn(`${has} a partition ends at ${exactBytes(end)}: is it cut short?`);
		else if (diskEnd > sizeBytes)
			output.warn(`${has} was partitioned as a disk of ${exactBytes(diskEnd)}: is it cut short?`);
	}
}

function importText({ machine, restorePoint, disks, newBytes, storedBytes, durationMs }: ImportResult): string {
	const size = formatBytes(disks.reduce((sum, disk) => sum + disk.sizeBytes, 0));
	const count = disks.length === 1 ? 'one disk' : `${disks.length} disks`;
	return [
		`${machine}@${restorePoint}: ${count} of ${size} in ${formatDuration(durationMs)}`,
		`${formatBytes(newBytes)} were new and take ${formatBytes(storedBytes)}`,
		`Next: rouse recover start ${machine}@${restorePoint}`,
	].join('\n');
}
