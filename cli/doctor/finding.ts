/** Stable, and never used for anything else: docs/cli.md lists them. */
export type FindingCode =
	| 'recovery_unreadable'
	| 'recovery_misplaced'
	| 'directory_unowned'
	| 'directory_empty'
	| 'ending_unfinished'
	| 'run_directory_refused'
	| 'run_directory_left'
	| 'temporary_left'
	| 'tap_left'
	| 'space_low'
	| 'process_unowned'
	| 'process_orphaned'
	| 'supervisor_down'
	| 'supervisor_silent'
	| 'protocol_differs'
	| 'service_differs'
	| 'served_silent'
	| 'temporal_away'
	| 'workflow_missing'
	| 'workflow_closed'
	| 'recovery_abandoned'
	| 'recovery_parked'
	| 'recovery_stalled'
	| 'machine_crashed'
	| 'workflow_foreign'
	| 'recovery_not_here'
	| 'pin_damaged'
	| 'pin_left'
	| 'pin_unknown'
	| 'grant_left'
	| 'repository_away'
	| 'broker_stuck'
	| 'broker_rebuilding'
	| 'lease_orphaned'
	| 'undo_owed'
	| 'resource_unmet'
	| 'clock_skew'
	| 'source_silent'
	| 'source_misconfigured'
	| 'import_left_over'
	| 'import_schedule_left'
	| 'import_schedule_failed'
	| 'not_looked_at';

/** What `--fix` does. Nothing of it can meet what a guest has written. */
export type Fix =
	/** Temporaries in it and then, if it is empty, the directory. */
	| { do: 'remove-empty'; path: string }
	/** Sockets that nobody listens on. */
	| { do: 'remove-sockets'; path: string }
	| { do: 'remove-file'; path: string }
	| { do: 'remove-tap'; name: string; directory: string }
	| { do: 'end-process'; pid: number; startTicks: string }
	| { do: 'unpin'; repository: string; recoveryId: string }
	/** And no pin with it, which a recovery that is taken up meanwhile has anew. */
	| { do: 'end-grant'; recoveryId: string };

export interface Finding {
	code: FindingCode;
	/** What it is about: a name, a path, a pid. */
	subject: string;
	explanation: string;
	/** What mends it. */
	command: string;
	/** Undefined: it takes a person. */
	fix?: Fix;
}

/** Younger ones may be somebody's work of this moment. */
export const settledMs = 60_000;

export const fixCommand = 'rouse doctor --fix';
