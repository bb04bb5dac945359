import type { Hypervisor } from '../hypervisors/contract.ts';
import type { Installation } from '../system/installation.ts';
import type { Log } from '../system/log.ts';
import type { MigrationMover, Movers } from './movers.ts';
import type { Tombstones } from './tombstone.ts';

/** What the steps of every recovery on a host stand on; handed in, so that a test can put its own there. */
export interface HostParts {
	installation: Installation;
	hypervisor: Hypervisor;
	movers: Movers;
	tombstones: Tombstones;
	log: Log;
	/** Changes with every boot of the host. */
	bootId: string;
	now: () => Date;
	/** Milliseconds that only go up. */
	clock: () => number;
	/** Called with the name of a place just reached; a test ends the process there. */
	reached: (place: string) => Promise<void>;
	/** The seal's kill: ends the migration mover and sees its lock free; false when that cannot be done. */
	endForSeal: (mover: MigrationMover) => Promise<boolean>;
}
