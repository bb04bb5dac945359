import type { DiskImage } from '../../model/chunk.ts';
import type { SourceDisk } from '../../model/machine.ts';
import type { ExportFormat } from '../../exports/format.ts';
import type { ExportOptions } from '../../exports/new-file.ts';
import { exportRaw } from '../../exports/raw.ts';
import { exportVhdx } from '../../exports/vhdx.ts';
import { CopyThreads, withoutThreadsBytes } from '../../repository/copy/copy-threads.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { proveZstdHandles } from '../../repository/format/zstd-proof.ts';
import type { Repository } from '../../repository/repository.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import type { Context } from '../terminal/command.ts';

export interface ExportOrder {
	image: DiskImage;
	sectors: SourceDisk;
	format: ExportFormat;
	path: string;
}

export async function writeExport(
	context: Context,
	repository: Repository,
	{ image, sectors, format, path }: ExportOrder,
): Promise<void> {
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
		if (format === 'qcow2') {
			const { exportQcow2 } = await import('../../exports/qcow2.ts'); // with an NBD server
			await exportQcow2(source, image, path, options);
		} else if (format === 'vhdx') await exportVhdx(new VerifiedChunks(source), image, path, { ...options, sectors });
		else await exportRaw(new VerifiedChunks(source), image, path, options);
	} finally {
		progress.end();
		await threads.close();
		await source.close();
	}
}
