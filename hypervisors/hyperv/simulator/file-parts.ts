import type { WindowsFaults } from './faults.ts';
import type { OpenFiles } from './open-files.ts';
import type { HostState, StateStore } from './state.ts';
import type { RemoteDisk } from './volumes.ts';

/** What a host's files are about. */
export interface FileParts {
	/** Of the drives: `D:\x` is `<root>/D/x`. */
	readonly root: string;
	readonly store: StateStore;
	readonly state: HostState;
	readonly faults: WindowsFaults;
	readonly openFiles: OpenFiles;
	/** Sessions of the initiator, by the target's name. */
	readonly sessions: Map<string, RemoteDisk>;
}
