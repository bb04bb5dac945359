import type { DiskImage } from '../../model/chunk.ts';
import type { RouseError } from '../../model/errors.ts';
import { nbdUri } from '../../nbd/protocol/uri.ts';
import { type NbdExport, NbdExports } from '../../nbd/server/export.ts';
import { serveNbd } from '../../nbd/server/server.ts';
import type { ChunkSource } from '../../repository/chunk-source.ts';
import { RetryingChunkSource } from '../../repository/retrying-chunk-source.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import type { Clock } from '../../system/clock.ts';
import { DiskExport } from './disk-export.ts';
import { MountedDisks } from './mounted-disks.ts';

export interface ServeOptions {
	socketPath: string;
	/** In the order of their names: `disk0`, `disk1`, … */
	disks: readonly { name: string; image: DiskImage }[];
	/** Closed when the server ends. When it throws the read that waits for it fails: one that never does makes reads wait. */
	source: ChunkSource;
	clock: Clock;
	/** For people who list the exports, as `web01@2026-11-20T03:00:00.000Z`. */
	title: string;
	/** Default 64 MiB: the host keeps the packs themselves in memory. */
	cacheBytes?: number;
	/** What is served of a disk, by its number; the disk itself when absent. */
	present?: (disk: NbdExport, number: number) => NbdExport;
	/** Ends the server. */
	signal: AbortSignal;
	/** Told once about each chunk that cannot be had; reads of it get EIO. */
	onDamage?: (disk: string, index: number, error: RouseError) => void;
}

export interface ServedRestorePoint {
	exports: readonly { name: string; uri: string; sizeBytes: number }[];
	/** Resolves when the server has ended and its socket is gone. */
	ended: Promise<void>;
}

/**
 * Serves the disks of a restore point to any NBD client: the mount mover's server without target, map and control.
 * Disks have their exact sizes. Resolves once it listens.
 */
export async function serveRestorePoint(options: ServeOptions): Promise<ServedRestorePoint> {
	const { socketPath, disks, title, clock, source, cacheBytes = 64 * 1024 * 1024, signal, onDamage } = options;
	const { present = (disk: NbdExport) => disk } = options;
	signal.throwIfAborted();
	const chunks = new VerifiedChunks(source);
	const open = source instanceof RetryingChunkSource ? source.once : undefined;
	const mounted = new MountedDisks({ disks, chunks, open, cacheBytes, clock, ...(onDamage ? { onDamage } : {}) });
	const { waiting, counters } = mounted;
	const exports = mounted.disks.map((disk, number) =>
		present(new DiskExport(disk.name, `${disk.name} of ${title}`, { disk, waiting, counters, patient: true }), number),
	);
	const server = await serveNbd(socketPath, new NbdExports(exports));
	const ended = new Promise<void>((resolve, reject) => {
		const end = () => {
			const closed = server.close();
			Promise.all([closed, mounted.close(), source.close()]).then(() => resolve(), reject);
		};
		if (signal.aborted) end();
		else signal.addEventListener('abort', end, { once: true });
	});
	return {
		exports: exports.map(({ name, sizeBytes }) => ({ name, sizeBytes, uri: nbdUri(socketPath, name) })),
		ended,
	};
}
