import type { MachineConfig, SourceDisk } from '../model/machine.ts';
import type { DiskSource } from '../repository/import/disk-source.ts';

export type SectorSizes = Pick<SourceDisk, 'logicalSectorBytes' | 'physicalSectorBytes'>;

/** What a source knows of the disk beside its content. */
export interface DiskFacts {
	/** For people: what kind of source, and what it calls itself; neither a path nor who may read it. */
	origin: MachineConfig['origin'];
	serial: string | null;
	/** Absent where the source does not know. */
	sectors?: SectorSizes | undefined;
}

/** A source that was opened, and what it knows. */
export interface OpenedDisk extends DiskSource {
	readonly facts: DiskFacts;
	/** Once its restore point is there: what was kept of it for another attempt goes. */
	forgetKept?(): Promise<void>;
}

/** The two sizes that disks of machines have; all else (optical media, huge optimal blocks) is told as the nearest. */
export function sectorSizes(logicalBytes: number, physicalBytes: number): SectorSizes {
	const nearest = (bytes: number) => (bytes < 4096 ? 512 : 4096);
	return {
		logicalSectorBytes: nearest(logicalBytes),
		physicalSectorBytes: nearest(Math.max(logicalBytes, physicalBytes)),
	};
}
