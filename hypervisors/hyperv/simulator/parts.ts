import type { ApplianceDisks } from './appliance-disks.ts';
import type { Appliance } from './appliance.ts';
import type { FileParts } from './file-parts.ts';
import type { NamedLocks } from './locks.ts';
import type { RunningVm } from './running-vm.ts';
import type { Initiator } from './volumes.ts';

export interface WindowsSettings {
	/** All that the host has is in it; another host over the same directory is its next boot. */
	directory: string;
	/** GUID of the appliance's machine on this host. */
	applianceId: string;
	computerName: string;
	processors: number;
	switches: readonly { name: string; type: 'External' | 'Internal' | 'Private' }[];
	/** Of the host itself, IPv4; none but those of its own switches by default. */
	addresses?: readonly { address: string; prefixLength: number }[] | undefined;
	initiator: Initiator;
	/** Where attached targets appear to the appliance. */
	appliance: ApplianceDisks;
	/** How long one session waits for another that works on the same recovery. */
	lockMs?: number | undefined;
	/** Called by a fault that takes the power; without it the host is as dead as in-process objects can be. */
	onPowerLoss?: (() => void) | undefined;
}

/** What cmdlets act upon. */
export interface HostParts extends FileParts {
	readonly settings: WindowsSettings;
	readonly bootId: string;
	readonly appliance: Appliance;
	readonly locks: NamedLocks;
	/** By VM id. */
	readonly running: Map<string, RunningVm>;
	/** Of checkpoints that were removed, by VM id: resolves when it has ended, well or not. */
	readonly merges: Map<string, Promise<void>>;
}
