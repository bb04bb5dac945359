/** What adding and removing a Linux host need of whoever asks for it. */
import { join } from 'node:path';
import type { ProgramArchive } from '../../../appliance/program-archive.ts';
import type { HostKey } from '../../../hypervisors/hyperv/host-setup/host-keys.ts';
import type { SetupEvent } from '../../../hypervisors/hyperv/host-setup/work.ts';
import { type Installation, places } from '../../../system/installation.ts';
import type { LinuxFacts } from './look.ts';
import type { LinuxHostRecord, WantedLinuxHost } from './record.ts';
import type { Remote } from './remote.ts';

export interface LinuxParts {
	installation: Installation;
	identityPath: string | undefined;
	expectedHostKey: string | undefined;
	confirmHostKey: (key: HostKey) => Promise<boolean>;
	installPackages: boolean;
	/** Throws while something here is not as it must be. Changes nothing. */
	precheck: () => Promise<void>;
	archive: () => Promise<ProgramArchive>;
	/** Comes back when the host's worker is there. */
	ready: (hostId: string) => Promise<void>;
	tell: (event: SetupEvent) => void;
	signal: AbortSignal;
}

export interface LinuxWork {
	parts: LinuxParts;
	remote: Remote;
	record: LinuxHostRecord;
	facts: LinuxFacts;
}

export interface LinuxStep {
	name: string;
	text: (record: LinuxHostRecord) => string;
	/** Finds its work done when it is done again. */
	run: (work: LinuxWork) => Promise<void>;
}

export async function runLinuxSteps(steps: readonly LinuxStep[], work: LinuxWork): Promise<void> {
	const { tell, signal } = work.parts;
	for (const { name, text, run } of steps) {
		signal.throwIfAborted();
		const said = text(work.record);
		tell({ type: 'step', step: name, at: 'begin', text: said });
		await run(work);
		tell({ type: 'step', step: name, at: 'end', text: said });
	}
}

export function directoryOf({ installation }: Pick<LinuxParts, 'installation'>, name: string): string {
	return join(places.hosts(installation.home), name);
}

/** On the host: the command there, which knows its home. */
export function commandOf({ directory }: Pick<WantedLinuxHost, 'directory'>): string {
	return `${directory}/bin/rouse`;
}

/** On the host: held while something is changed there, since what was cut off here may go on there. */
export function lockOf({ directory }: Pick<WantedLinuxHost, 'directory'>): string {
	return `${directory}/.lock`;
}
