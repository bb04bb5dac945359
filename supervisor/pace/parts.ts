import type { MigrationMoverState } from '../../movers/config.ts';
import type { Clock } from '../../system/clock.ts';
import type { Installation } from '../../system/installation.ts';
import type { Log } from '../../system/log.ts';
import type { IncidentLog } from '../files/incident-log.ts';
import type { RecoveryState } from '../files/state.ts';
import type { Tombstone } from '../files/tombstones.ts';
import type { CopyPace } from './copy-pace.ts';
import type { LatencySource } from './latency-source.ts';

/** Of the host what its copies' pace stands on. */
export interface PaceParts {
	installation: Pick<Installation, 'home'>;
	latency: LatencySource;
	clock: Clock;
	log: Log;
}

/** A recovery, and what it is told. */
export interface PacedRecovery {
	readonly name: string;
	readonly recoveryId: string;
	readonly state: Pick<RecoveryState, 'copy' | 'plan'>;
	readonly seen: { readonly migration: MigrationMoverState | undefined };
	readonly tombstone: Tombstone | undefined;
	readonly incidents: Pick<IncidentLog, 'add'>;
	pace: CopyPace;
}
