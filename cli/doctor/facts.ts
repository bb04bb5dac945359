/** What `doctor` has seen of an installation, as plain data: findings.ts says what of it is wrong. */
import type { ErrorDocument } from '../../model/errors.ts';
import type { BrokerView } from '../../model/broker-view.ts';
import type { Parked, Phase } from '../../model/recovery.ts';
import type { OutageAnswer } from '../host/outages.ts';
import type { Pin } from '../../repository/pins.ts';
import type { RecoveryView } from '../../supervisor/protocol.ts';

export interface Facts {
	home: string;
	host: string;
	recoveries: DirectoryFacts[];
	/** By recoveryId: how recoveries have ended on this host. */
	tombstones: ReadonlyMap<string, { name: string; state: 'finished' | 'discarded' }>;
	/** Locks that are held, by their paths. */
	held: HeldFacts[];
	/** Processes under a lock of this installation whose file was removed. */
	orphans: HeldFacts[];
	/** Directories of sockets. */
	runDirectories: RunDirectoryFacts[];
	/** Why the directory that they lie in is not looked into, and what to do: it is somebody else's. */
	runDirectoryRefused: { path: string; reason: string; mend: string } | undefined;
	temporaries: TemporaryFacts[];
	taps: TapFacts[];
	space: { freeBytes: number; ballast: boolean };
	supervisor: SupervisorFacts;
	/** What it tells of its recoveries and machines; none when it does not answer. */
	views: RecoveryView[];
	services: ServiceFacts[];
	/** What config.yaml serves to hosts elsewhere and does not answer there; none while nobody keeps the services. */
	silent: SilentFacts[];
	/** Workers that run and do not reach Temporal, by their own word. */
	outages: OutageAnswer[];
	/** Undefined: Temporal does not answer. */
	workflows: WorkflowFacts[] | undefined;
	/** When it saw a control worker ask for work last, by its own clock, and the time here; undefined when it does not say. */
	temporalClock: { lastPollMs: number; nowMs: number } | undefined;
	/** What the broker tells, or that it cannot go on; undefined: nobody answers for it, or there is none. */
	broker: BrokerView | { failedTasks: number } | undefined;
	/** Hosts that recoveries have left before power-on, and that have not said yet that they have nothing of them. */
	owedUndos: OwedUndoFacts[];
	repositories: RepositoryFacts[];
	/** Machine sources of config.yaml of which no import is under way; none while Temporal does not answer. */
	sources: SourceFacts[];
	/** Of backups; none while Temporal does not answer. */
	importSchedules: ImportScheduleFacts[];
	/** What hosts may read of them, or might until it ended. */
	grants: GrantFacts[];
}

/** A directory among the host's recoveries. */
export interface DirectoryFacts {
	name: string;
	path: string;
	/** Since anything in the directory itself was made or removed. */
	ageMs: number;
	files: string[];
	content: DirectoryContent;
}

export type DirectoryContent =
	| {
			kind: 'recovery';
			recoveryId: string;
			/** As its record says, which is the directory's unless that was copied or renamed. */
			name: string;
			powerOnScheduled: boolean;
			/** One of this machine. */
			repository: string | null;
	  }
	| { kind: 'machine'; recoveryId: string; name: string }
	| { kind: 'unreadable'; reason: string }
	/** Neither a recovery nor a machine: no record says whose it is, but for what may be left of one. */
	| { kind: 'nobody'; recoveryId: string | undefined };

export interface HeldFacts {
	path: string;
	pid: number;
	of: 'machine' | 'mover';
	/** The name of the recovery's directory; empty for what is no recovery's. */
	recovery: string;
	startTicks: string;
}

export interface RunDirectoryFacts {
	name: string;
	path: string;
	ageMs: number;
	/** Somebody listens on a socket in it. */
	listening: boolean;
	/** Of a repository mover that has a configuration, so that it is found again. */
	configured: boolean;
}

/** A network interface that was made for a machine. */
export interface TapFacts {
	name: string;
	/** A program has it open. */
	used: boolean;
	/** Of the machine, as the tap itself says; undefined when it does not. */
	directory: string | undefined;
	/** That directory is there: perhaps another installation's. */
	hasMachine: boolean;
}

export interface TemporaryFacts {
	path: string;
	ageMs: number;
	/** The name of the recovery's directory that it lies in. */
	recovery: string | undefined;
}

export type SupervisorFacts =
	| { state: 'down' }
	/** Its lock is held. */
	| { state: 'silent'; pid: number }
	| { state: 'answers'; protocol: number };

export interface ServiceFacts {
	name: string;
	pid: number;
	/** The program of another checkout or another Node: what it runs with instead. */
	other: string | undefined;
}

export interface SilentFacts {
	/** As config.yaml calls it. */
	key: string;
	host: string;
	port: number;
	logPath: string;
}

export interface WorkflowFacts {
	name: string;
	recoveryId: string | undefined;
	host: string | undefined;
	phase: Phase;
	/** Temporal's word for it. */
	status: string;
	parked: Parked | null;
}

export interface OwedUndoFacts {
	recovery: string;
	recoveryId: string;
	host: string;
	since: string;
	ageMs: number;
}

export interface PinFacts extends Pin {
	ageMs: number;
	/** What this installation has granted for it: the host that reads, and whether the recovery is over. */
	granted: { host: string; ended: boolean } | undefined;
}

export interface GrantFacts {
	recoveryId: string;
	/** Of the recovery. */
	name: string;
	host: string;
	repository: string;
	ageMs: number;
}

export interface SourceFacts {
	name: string;
	/** What imports have left on its platform and no import needs. */
	leftovers: LeftoverFacts[];
	/** Why that is not known; `ofConfig`: since config.yaml is wrong about it, and no platform was asked. */
	problem: { message: string; ofConfig: boolean } | undefined;
}

export interface ImportScheduleFacts {
	source: string;
	/** Whether config.yaml has it. */
	isConfigured: boolean;
	lastAt: string | null;
	/** Of its last backup, unless one has succeeded since that a person has begun. */
	failure: ErrorDocument | null;
}

export interface LeftoverFacts {
	what: string;
	/** The import that has made it. */
	tag: string;
	since: string | null;
	costText: string | null;
	canDelete: boolean;
}

export interface RepositoryFacts {
	directory: string;
	pins: PinFacts[];
	/** They stand, and what they say cannot be read. */
	damagedPins: { recoveryId: string; reason: string }[];
	/** Why its pins are not known. */
	problem: string | undefined;
}
