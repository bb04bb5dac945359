import { resolve } from 'node:path';
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import type { DiskImage } from '../../model/chunk.ts';
import type { SourceDisk } from '../../model/machine.ts';
import { RouseError } from '../../model/errors.ts';
import { proveZstdHandles } from '../../repository/format/zstd-proof.ts';
import { missingWarning } from '../../model/missing-warnings.ts';
import { exportFormats, formatOfFile } from '../../exports/format.ts';
import type { RestorePoint } from '../../repository/points.ts';
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
			void proveZstdHandles(); // it takes as long as the rest takes to load
			const path = resolve(options.to);
			const format = options.format ?? formatOfFile(path);
			const startedAt = performance.now();
			const { point, disk, image } = await withRepository(context, options.repo, async repository => {
				const found = await findPoint(repository, reference, context.signal);
				const chosen = chooseDisk(found, options.disk);
				const warning = missingWarning(`disk${chosen.disk}`, chosen.image);
				if (warning !== undefined) context.output.warn(warning);
				const { writeExport } = await import('./write-export.ts');
				await writeExport(context, repository, { ...chosen, format, path });
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
