import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DiskImage } from '../model/chunk.ts';
import { RouseError } from '../model/errors.ts';
import { serveRestorePoint } from '../movers/mount-mover/serve-restore-point.ts';
import type { ChunkSource } from '../repository/chunk-source.ts';
import { systemClock } from '../system/clock.ts';
import { runTool } from '../system/run-tool.ts';
import { fitsSocket } from '../system/socket-path.ts';
import { type ExportOptions, makeNewFile, noRoom } from './new-file.ts';
import { WatchedSource } from './watched-source.ts';

const installQemuImg = 'apt-get install qemu-utils';
/** The newest that QEMU 7.2 makes, and what every QEMU since 1.1 (2012) reads: qemu-img(1). */
const qcow2Options = 'compat=1.1';

/**
 * Writes a disk of a restore point as a qcow2 file, by `qemu-img convert` from an NBD server of our own: what QEMU reads
 * was compared with its digests. The disk in it has whole sectors. Closes the source once it was read from. Throws as
 * {@link makeNewFile}, what reading throws (`chunk_bad`, …), `tool_missing` and `tool_failed`.
 */
export async function exportQcow2(
	source: ChunkSource,
	image: DiskImage,
	path: string,
	options: ExportOptions = {},
): Promise<void> {
	await makeNewFile(path, image.sizeBytes, async (_, temporary) => {
		const directory = await mkdtemp(join(shortTemporary(), 'rouse-export-'));
		try {
			await convert(new WatchedSource(source), image, { directory, temporary, path }, options);
		} finally {
			await rm(directory, { recursive: true, force: true });
		}
	});
}

async function convert(
	source: WatchedSource,
	image: DiskImage,
	{ directory, temporary, path }: { directory: string; temporary: string; path: string },
	{ signal, progress }: ExportOptions,
): Promise<void> {
	const ending = new AbortController();
	let damage: RouseError | undefined;
	const served = await serveRestorePoint({
		socketPath: join(directory, socketName),
		disks: [{ name: 'disk0', image }],
		source,
		clock: systemClock,
		title: 'an export',
		signal: ending.signal,
		onDamage: (_disk, _index, error) => (damage ??= error),
	});
	try {
		const uri = served.exports[0]?.uri ?? '';
		const args = ['convert', '-p', '-f', 'raw', '-O', 'qcow2', '-o', qcow2Options, uri, temporary];
		const onLine = (line: string) => {
			const percent = /^\s*\((\d+\.\d+)\/100%\)/.exec(line)?.[1];
			const { sizeBytes } = image;
			if (percent) progress?.({ doneBytes: Math.floor((sizeBytes * Number(percent)) / 100), totalBytes: sizeBytes });
		};
		const { code, stderr } = await runTool('qemu-img', args, { hint: installQemuImg, signal, onLine });
		// qemu-img knows only that a read failed; why is known here.
		if (code !== 0) throw damage ?? source.failure ?? failureOf(stderr, path, image.sizeBytes);
	} finally {
		ending.abort();
		await served.ended;
	}
}

function failureOf(stderr: string, path: string, sizeBytes: number): RouseError {
	if (/No space left on device|Disk quota exceeded|File too large/.test(stderr)) return noRoom(path, sizeBytes);
	return new RouseError('tool_failed', `qemu-img could not write ${path}: ${stderr.trim()}`);
}

const socketName = 'nbd.sock';

function shortTemporary(): string {
	return fitsSocket(join(tmpdir(), 'rouse-export-XXXXXX', socketName)) ? tmpdir() : '/tmp';
}
