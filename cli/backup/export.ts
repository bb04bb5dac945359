import { resolve } from 'node:path';
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import type { DiskImage } from '../../model/chunk.ts';
import type { SourceDisk } from '../../model/machine.ts';
import { RouseError } from '../../model/errors.ts';
import { proveZstdHandles } from '../../repository/format/zstd-proof.ts';
import { missingWarning } from '../../model/missing-warnings.ts';
import { CopyThreads, withoutThreadsBytes } from '../../repository/copy/copy-threads.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { type ExportFormat, exportFormats, formatOfFile } from '../../exports/format.ts';
import type { ExportOptions } from '../../exports/new-file.ts';
import { exportQcow2 } from '../../exports/qcow2.ts';
import { exportRaw } from '../../exports/raw.ts';
import { exportVhdx } from '../../exports/vhdx.ts';
import type { RestorePoint } from '../../repository/points.ts';
import type { Repository } from '../../repository/repository.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { repositoryOption } from '../repository-choice.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { formatDuration } from '../terminal/format.ts';
import { parsePoint } from '../terminal/parse.ts';
import { findPoint, titleOf, withRepository } from './restore-point.ts';

export const buildExport = (context: Context) =>
	command('export')
		.description('write a disk of a restore point as a file, sparse')
		.argument('<name@point>', 'as web01@latest', parsePoint)
		.requiredOption('--to <file>', 'the file, which must not be there yet')
		.option('--disk <n>', 'which disk, from 0 on; needed when there are several', parseIndex)
		.addOption(
			new Option('--format <format>', 'of the file (default: by the ending of its name, else raw)').choices(
				exportFormats,
			),
		)
		.option(...repositoryOption)
		.action(async (reference, options) => {
			const path = resolve(options.to);
			const format = options.format ?? formatOfFile(path);
			const startedAt = performance.now();
			const { point, disk, image } = await withRepository(context, options.repo, async repository => {
				const found = await findPoint(repository, reference, context.signal);
				const chosen = chooseDisk(found, options.disk);
				const warning = missingWarning(`disk${chosen.disk}`, chosen.image);
				if (warning !== undefined) context.output.warn(warning);
				await write(context, repository, { ...chosen, format, path });
				return { point: found, ...chosen };
			});
			const { machine, time } = point.manifest;
			const { sizeBytes } = image;
			const durationMs = Math.round(performance.now() - startedAt);
			context.output.result(
				{ machine, restorePoint: time, disk, path, format, sizeBytes, durationMs },
				`disk${disk} of ${titleOf(point)}, ${formatBytes(sizeBytes)}, is in ${path} as ${format} (${formatDuration(durationMs)})`,
			);
		});

interface Order {
	image: DiskImage;
	sectors: SourceDisk;
	format: ExportFormat;
	path: string;
}

async function write(context: Context, repository: Repository, { image, sectors, format, path }: Order): Promise<void> {
	await proveZstdHandles();
	const source = new DirectChunkSource(repository.store);
	const progress = context.output.progress('exporting');
	const entry = new URL('../../exports/copy-thread.ts', import.meta.url);
	const threads = new CopyThreads({ entry, setup: { repository: repository.location } });
	const options: ExportOptions = {
		signal: context.signal,
		threads: { threads, aboveBytes: withoutThreadsBytes },
		progress: ({ doneBytes, totalBytes }) => progress.update({ done: doneBytes, total: totalBytes }),
	};
	try {
		if (format === 'qcow2') await exportQcow2(source, image, path, options);
		else if (format === 'vhdx') await exportVhdx(new VerifiedChunks(source), image, path, { ...options, sectors });
		else await exportRaw(new VerifiedChunks(source), image, path, options);
	} finally {
		progress.end();
		await threads.close();
		await source.close();
	}
}

function chooseDisk(
	point: RestorePoint,
	wanted: number | undefined,
): { disk: number; image: DiskImage; sectors: SourceDisk } {
	const { disks, config } = point.manifest;
	const last = disks.length - 1;
	if (wanted === undefined && last > 0)
		throw new RouseError('usage', `${titleOf(point)} has ${disks.length} disks`, { hint: `say --disk 0 to ${last}` });
	const disk = wanted ?? 0;
	const image = disks[disk];
	const sectors = config.disks[disk];
	if (image && sectors) return { disk, image, sectors };
	throw new RouseError('usage', `${titleOf(point)} has no disk ${disk}`, { hint: `it has 0 to ${last}` });
}

function parseIndex(text: string): number {
	if (/^\d{1,2}$/.test(text)) return Number(text);
	throw new InvalidArgumentError(`"${text}" is no number of a disk.`);
}
