/** The movers as the supervisor deals with them: processes known by their locks, asked over their control sockets. */
import type { ChunkService } from '../../movers/config.ts';
import type { MigrationMoverControl, MountMoverControl, RepositoryMoverControl } from '../../movers/client.ts';
import type { KnownReads } from '../../movers/first-reads.ts';
import type { Machine, Target } from '../../hypervisors/contract.ts';
import type { LockHolder } from '../../system/process-lock.ts';
import type { DiskImage } from '../../model/chunk.ts';
import type { RecoveryPlaces } from '../files/places.ts';

export type MoverKind = 'mount' | 'migration' | 'repository';

export interface Mover<Control> {
	readonly kind: MoverKind;
	readonly control: Control;
	/** Who holds the mover's lock, or undefined when it does not run. */
	holder(): Promise<LockHolder | undefined>;
	/** Configuration, then the process; resolves once its lock is held. MAY find it running. */
	start(): Promise<void>;
	/** Kills it and sees the lock free, and a start begun before has no effect after; false when it cannot be killed. */
	end(): Promise<boolean>;
	/** Removes its files and sockets; it does not run any more. */
	remove(): Promise<void>;
}

export type MountMover = Mover<Pick<MountMoverControl, 'state' | 'failPending' | 'serve' | 'firstReads'>> & {
	/** Its NBD server takes connections. */
	listens(): Promise<boolean>;
};
export type MigrationMover = Mover<Pick<MigrationMoverControl, 'state' | 'copy' | 'pause' | 'rate' | 'retry'>>;
export type RepositoryMover = Mover<Pick<RepositoryMoverControl, 'state' | 'rate'>>;

/** One disk of a recovery as the movers know it. */
export interface RecoveryDisk {
	name: string;
	image: DiskImage;
	mapPath: string;
}

export interface RecoveryMoversOf {
	recoveryId: string;
	repository: string;
	places: RecoveryPlaces;
	disks: readonly RecoveryDisk[];
	/** One a disk; asked for at every start of a mover, since a path may have changed. */
	targets: () => Promise<readonly Target[]>;
	/** What serves its repository when that is on another machine; asked for at every start of a mover. */
	service?: () => Promise<ChunkService>;
	/** What the mount mover serves beside the disks, when its platform wants that. */
	volume?: NonNullable<Machine['volume']>;
	/** Asked for at every start of the mount mover. */
	firstReads?: () => Promise<FirstReadsAtStart>;
}

/** What the mount mover is told of what its machine reads first. */
export interface FirstReadsAtStart {
	/** Nothing has been read yet: it is noted. */
	recordsFirstReads: boolean;
	/** Known from an earlier time: to be fetched first. */
	firstReads?: KnownReads;
}

export interface Movers {
	mount(of: RecoveryMoversOf): MountMover;
	migration(of: RecoveryMoversOf): MigrationMover;
	/** The same for everybody who uses this repository. */
	repository(directory: string): RepositoryMover;
	/** Directories whose repository mover runs, or left files, whoever started it. */
	knownRepositories(): Promise<string[]>;
}
