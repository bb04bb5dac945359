/** Serves the base of the throw-away machine as a mount mover does, out of generated disks: no repository is needed. */
import { MountedVolume } from '../../../movers/mount-mover/mounted-volume.ts';
import { type NbdExport, NbdExports, type NbdWriter } from '../../../nbd/server/export.ts';
import { type NbdServer, serveNbd } from '../../../nbd/server/server.ts';
import { systemClock } from '../../../system/clock.ts';
import type { VolumeFiles } from '../../../volume/disk-files.ts';
import type { GeneratedDisk } from './generated-disk.ts';

/** What the host wrote to the volume. */
export interface VolumeWrites {
	/** To its metadata. */
	writes: number;
	writtenBytes: number;
	/** To what the disks consist of, which nobody may: they got EPERM. */
	refused: string[];
}

export class BaseServer {
	readonly disks: readonly GeneratedDisk[];
	readonly written: VolumeWrites = { writes: 0, writtenBytes: 0, refused: [] };
	readonly #socket: string;
	#server: NbdServer | undefined;
	#volume: MountedVolume | undefined;

	constructor(socket: string, disks: readonly GeneratedDisk[]) {
		this.#socket = socket;
		this.disks = disks;
	}

	/** The volume must have been made. */
	async start(files: VolumeFiles): Promise<void> {
		if (this.#server) return;
		this.#volume = await MountedVolume.open(files, systemClock);
		const onWriteRefused = ({ offset, length }: { offset: number; length: number }) =>
			void this.written.refused.push(`${length} bytes at ${offset}`);
		const options = { description: 'the volume of the self test', onWriteRefused };
		const { disks } = this;
		const exports = this.#volume.exports(options, { plain: disks, now: disks, wait: disks });
		this.#server = await serveNbd(this.#socket, new NbdExports(exports.map(one => counted(one, this.written))));
	}

	async stop(): Promise<void> {
		for (const disk of this.disks) disk.release();
		await this.#server?.close();
		await this.#volume?.close();
		this.#server = this.#volume = undefined;
	}
}

/** The same export, whose writes are counted. */
function counted(volume: NbdExport, written: VolumeWrites): NbdExport {
	const { writer } = volume;
	return {
		name: volume.name,
		description: volume.description,
		sizeBytes: volume.sizeBytes,
		metaContexts: volume.metaContexts,
		writer: writer && countedWriter(writer, written),
		readNow: (...read) => volume.readNow(...read),
		readLater: (...read) => volume.readLater(...read),
		blockStatus: (...asked) => volume.blockStatus(...asked),
		willNeed: (...range) => volume.willNeed(...range),
		writeRefused: (...range) => volume.writeRefused?.(...range),
	};
}

function countedWriter(writer: NbdWriter, written: VolumeWrites): NbdWriter {
	return {
		write: (offset, bytes, durable, done) => {
			written.writes += 1;
			written.writtenBytes += bytes.length;
			writer.write(offset, bytes, durable, done);
		},
		flush: done => writer.flush(done),
	};
}
