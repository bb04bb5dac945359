/**
 * What Rouse asks of a platform that runs machines. The words MUST, MUST NOT and MAY are those of RFC 2119.
 *
 * One `Machine` object stands for one recovered machine and its directory. The supervisor calls its methods one at a time
 * (never two at once for one machine), from one process at a time; it MAY die at any moment, and the next supervisor makes
 * a new object from the same definition and calls again. So:
 *
 *  - Every method MUST be idempotent: it looks at what is there, does what is missing, and succeeds when nothing is.
 *  - Every method MUST act only on what lies in `definition.directory` or carries `definition.recoveryId`, and MUST throw
 *    `identity_conflict` when it meets the same name with another id.
 *  - A method that throws MAY have done a part of its work; calling it again MUST carry on from there.
 *  - No method may wait for ever: it MUST throw `hypervisor_stuck` when the platform does not answer. It MUST NOT answer
 *    that by ending the machine.
 *  - What a method has promised MUST be durable when it returns.
 *  - A platform MAY serve one object of a machine at a time: an object is closed, or its process dead, before the next
 *    one is used.
 *
 * A read that waits at the mount mover can hold the platform up as a whole (QEMU). Before `reset`, `resume`, `shutdown`,
 * and `powerOn` of a machine that is alive, the supervisor therefore lets the mover fail what waits; `powerOff`,
 * `remove` and `observe` MUST come to an end without that.
 *
 * conformance.ts holds every platform to this.
 */
import type { Chain, MachineSockets, PlannedNic, Power } from '../model/recovery.ts';
import type { MachineConfig } from '../model/machine.ts';

export interface MachineDisk {
	/** `disk0`, `disk1`, …: the export's name at the mount mover, and the device's at the machine. */
	name: string;
	/** Rounded up to 512: what the guest sees. */
	sizeBytes: number;
	/** The target: a file that exists at that size before `create`. */
	targetPath: string;
}

export interface MachineDefinition {
	recoveryId: string;
	machineName: string;
	config: MachineConfig;
	nics: readonly PlannedNic[];
	disks: readonly MachineDisk[];
	/** Durable files of this machine. */
	directory: string;
	/** Sockets, made again at boot. */
	runDirectory: string;
	/** Unix socket of the mount mover's NBD server. */
	nbdSocket: string;
}

/** How the machine is now. MUST be an observation, never a memory. */
export interface MachineObservation {
	/** `off`: nothing of it runs, or the guest has powered itself off. */
	power: Power;
	/** The platform's process (or its like) exists, whatever the guest does: disks are held open. */
	alive: boolean;
	/** Set when the guest stands still because a read or a write failed. */
	ioError: { disk: string; operation: 'read' | 'write'; noSpace: boolean } | undefined;
}

/** What the switch needs from the supervisor. Each call returns only when its effect is there (and durable, for a mark). */
export interface SwitchCalls {
	/** The last mark that is durable. */
	readonly chain: Chain;
	/**
	 * Makes the mark durable; it never goes back. `local` before anything stops serving the mover's chain, `target`
	 * before a guest write can reach the target alone. With `target` a guest MUST NOT write to its snapshot any more.
	 * When it throws nobody knows which mark is durable: the guest MUST NOT run until a later attempt knows.
	 */
	mark(chain: Chain): Promise<void>;
	/** Remembers, durably, whether the guest is to run again after the pause; asked by a later attempt. */
	rememberResume(resume: boolean): Promise<void>;
	readonly resume: boolean | undefined;
	/**
	 * The mount mover answers and holds no read that waits: platform calls that would hang on it are safe now. MUST NOT be
	 * called once the mark is `local`: the mover may be gone.
	 */
	probeMountMover(): Promise<void>;
	/** The chain does not need the mount mover any more. */
	stopMountMover(): Promise<void>;
	/** For tests: called with the platform's own name of the place just reached. When it throws, the attempt ends there. */
	reached(place: string): Promise<void>;
}

export interface Machine {
	readonly sockets: MachineSockets;

	/** The dummy machine: same configuration, powered off, disks as defined. MUST NOT start anything. */
	create(): Promise<void>;

	/**
	 * The protective snapshot: afterwards guest writes have a place of their own that reads through to the mount mover.
	 * MUST NOT touch an existing snapshot: it may hold guest writes. One that was made and is gone MUST NOT be made again
	 * (`machine_failed`). MUST fail (`mover_unreachable`), and leave nothing, when the mount mover's disks cannot be read.
	 */
	snapshot(): Promise<void>;

	/**
	 * Starts the machine on `chain`, with the guest running. MAY find it running: then nothing happens. MUST NOT start on
	 * a chain other than the one given, and MUST let no second instance touch the disks. A guest that has powered itself
	 * off starts anew; one that stands still because of an I/O error is left to `resume`. Throws `phase_wrong` in the pause
	 * of a switch, which has to be carried on first.
	 */
	powerOn(chain: Chain): Promise<void>;

	/** Asks the guest to shut down (ACPI); returns at once. */
	shutdown(): Promise<void>;

	/** Resets the guest. */
	reset(): Promise<void>;

	/**
	 * Takes the power away: afterwards nothing of the machine runs. Flushed writes survive. MUST succeed on a machine that
	 * hangs (the platform's process is ended by force).
	 */
	powerOff(): Promise<void>;

	/** Lets a guest go on that stands still because of an I/O error; the failed request is tried again. */
	resume(): Promise<void>;

	observe(): Promise<MachineObservation>;

	/**
	 * All targets hold every block and no other process has them open for writing. Moves the machine from the mount mover
	 * and its snapshot to the targets alone, while the guest runs, and removes the snapshot. With the machine off it does
	 * the same offline. MUST carry on from any place at which an earlier attempt died, with the machine alive or dead.
	 * A guest that ran runs again afterwards, also when the attempt that paused it died; one that did not run MUST NOT be
	 * started. When the commit fails (`space_short`, `io_failed`) the machine MUST go on as it was, on chain `local`.
	 * Returns how long the guest stood still; 0 when it did not run.
	 */
	switchToTarget(calls: SwitchCalls): Promise<{ pauseMs: number }>;

	/**
	 * What a person needs to run the machine without Rouse (start script); called after the switch. Of the platform's own
	 * files only those that the machine needs remain.
	 */
	handOver(): Promise<void>;

	/** Ends the machine and removes all that belongs to it but the targets. MAY find nothing. */
	remove(): Promise<void>;

	/** Closes connections of this object; the machine goes on. */
	close(): Promise<void>;
}

export interface HypervisorReport {
	name: string;
	version: string | undefined;
	/** How the guests' instructions are run, in a word of the platform's. */
	accelerator: string;
	firmwares: readonly ('bios' | 'efi')[];
	warnings: readonly string[];
	unusable: { code: 'tool_missing'; message: string; hint: string } | undefined;
}

export interface Hypervisor {
	report(): Promise<HypervisorReport>;
	machine(definition: MachineDefinition): Machine;
}
