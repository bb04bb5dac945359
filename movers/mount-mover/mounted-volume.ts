import { RouseError } from '../../model/errors.ts';
import type { NbdExport } from '../../nbd/server/export.ts';
import type { Clock } from '../../system/clock.ts';
import type { VolumeDescription } from '../../volume/description.ts';
import { type DiskFile, diskFileName, type VolumeFiles } from '../../volume/disk-files.ts';
import { readVolume, volumePaths } from '../../volume/ensure-volume.ts';
import { openPrivateFile, type PrivateFile } from './layout/private-file.ts';
import { vhdxExport } from './layout/vhdx-layout.ts';
import { volumeExport, type VolumeExportOptions } from './layout/volume-layout.ts';

/** The volume that holds a VHDX of each disk, for a host that takes its disks from there. */
export class MountedVolume {
	readonly #config: VolumeFiles;
	readonly #volume: VolumeDescription;
	readonly #image: PrivateFile;

	private constructor(config: VolumeFiles, volume: VolumeDescription, image: PrivateFile) {
		this.#config = config;
		this.#volume = volume;
		this.#image = image;
	}

	/** Opens one that was made. `io_failed` when there is none, `format_damaged` when it is not whole. */
	static async open(config: VolumeFiles, clock: Pick<Clock, 'now'>): Promise<MountedVolume> {
		const volume = await readVolume(config.directory);
		if (volume === undefined) throw new RouseError('io_failed', `no volume was made in ${config.directory}`);
		return new MountedVolume(config, volume, await openPrivateFile(volumePaths(config.directory).image, clock));
	}

	/** Why its metadata is not written any more. */
	get failure(): RouseError | undefined {
		return this.#image.failure;
	}

	/** It as the disks are exported, under each of their kinds of names; they are closed by whoever opened them. */
	exports(
		options: Omit<VolumeExportOptions, 'name'>,
		{ plain, now, wait }: Record<'plain' | 'now' | 'wait', readonly NbdExport[]>,
	): NbdExport[] {
		return [
			this.#export({ ...options, name: 'volume' }, plain),
			this.#export({ ...options, name: 'volume-now' }, now),
			this.#export({ ...options, name: 'volume-wait' }, wait),
		];
	}

	#export(options: VolumeExportOptions, disks: readonly NbdExport[]): NbdExport {
		const contents = new Map(
			disks.map((disk, number) => [diskFileName(number), vhdxExport(disk, this.#fileOf(number))] as const),
		);
		return volumeExport({ volume: this.#volume, image: this.#image, contents }, options);
	}

	async close(): Promise<void> {
		await this.#image.close();
	}

	#fileOf(number: number): DiskFile {
		const file = this.#config.files[number];
		if (file === undefined) throw new RouseError('config_invalid', `the volume has no file for disk${number}`);
		return file;
	}
}
