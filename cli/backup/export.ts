import { resolve } from 'node:path';
import { InvalidArgumentError } from '@commander-js/extra-typings';
import type { DiskImage } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { missingWarning } from '../../model/missing-warnings.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { exportDisk } from '../../repository/export.ts';
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
		.description('write a disk of a restore point as a raw file, sparse')
		.argument('<name@point>', 'as web01@latest', parsePoint)
		.requiredOption('--to <file>', 'the file, which must not be there yet')
		.option('--disk <n>', 'which disk, from 0 on; needed when there are several', parseIndex)
		.option(...repositoryOption)
		.action(async (reference, options) => {
			const path = resolve(options.to);
			const startedAt = performance.now();
			const { point, disk, image } = await withRepository(context, options.repo, async repository => {
				const found = await findPoint(repository, reference, context.signal);
				const chosen = chooseDisk(found, options.disk);
				const warning = missingWarning(`disk${chosen.disk}`, chosen.image);
				if (warning !== undefined) context.output.warn(warning);
				await write(context, repository, chosen.image, path);
				return { point: found, ...chosen };
			});
			const { machine, time } = point.manifest;
			const { sizeBytes } = image;
			const durationMs = Math.round(performance.now() - startedAt);
			context.output.result(
				{ machine, restorePoint: time, disk, path, sizeBytes, durationMs },
				`disk${disk} of ${titleOf(point)}, ${formatBytes(sizeBytes)}, is in ${path} (${formatDuration(durationMs)})`,
			);
		});

async function write(context: Context, repository: Repository, image: DiskImage, path: string): Promise<void> {
	const source = new DirectChunkSource(repository.store);
	const progress = context.output.progress('exporting');
	try {
		await exportDisk(new VerifiedChunks(source), image, path, {
			signal: context.signal,
			progress: ({ doneBytes, totalBytes }) => progress.update({ done: doneBytes, total: totalBytes }),
		});
	} finally {
		progress.end();
		await source.close();
	}
}

function chooseDisk(point: RestorePoint, wanted: number | undefined): { disk: number; image: DiskImage } {
	const { disks } = point.manifest;
	const last = disks.length - 1;
	if (wanted === undefined && last > 0)
		throw new RouseError('usage', `${titleOf(point)} has ${disks.length} disks`, { hint: `say --disk 0 to ${last}` });
	const disk = wanted ?? 0;
	const image = disks[disk];
	if (image) return { disk, image };
	throw new RouseError('usage', `${titleOf(point)} has no disk ${disk}`, { hint: `it has 0 to ${last}` });
}

function parseIndex(text: string): number {
	if (/^\d{1,2}$/.test(text)) return Number(text);
	throw new InvalidArgumentError(`"${text}" is no number of a disk.`);
}
