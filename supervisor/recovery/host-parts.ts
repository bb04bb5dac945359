import type { Platform } from '../../hypervisors/contract.ts';
import type { RepositoryAccess } from '../../repository/access/calls.ts';
import type { Clock } from '../../system/clock.ts';
import type { MustBeConfigured } from '../../system/configured-repositories.ts';
import type { Installation } from '../../system/installation.ts';
import type { Log } from '../../system/log.ts';
import type { ReportNumbers } from '../files/report-numbers.ts';
import type { Tombstones } from '../files/tombstones.ts';
import type { MigrationMover, Movers } from '../movers/movers.ts';
import type { LatencySource } from '../pace/latency-source.ts';
import type { ServiceParts } from '../movers/service.ts';

/** What the steps of every recovery on a host stand on; handed in, so that a test can put its own there. */
export interface HostParts extends ServiceParts {
	installation: Installation;
	platform: Platform;
	movers: Movers;
	tombstones: Pick<Tombstones, 'read' | 'write' | 'repositories'>;
	reportNumbers: ReportNumbers;
	/** Asked before a recovery is taken that would read there. */
	mustBeConfigured: MustBeConfigured;
	/** For pins; a call may hang for as long as its deadline. */
	repositories: RepositoryAccess;
	/** Of the datastore. */
	latency: LatencySource;
	log: Log;
	clock: Clock;
	/** Called with the name of a place just reached; a test ends the process there. */
	reached: (place: string) => Promise<void>;
	/** The seal's kill: ends the migration mover and sees its lock free; false when that cannot be done. */
	endForSeal: (mover: MigrationMover) => Promise<boolean>;
}
