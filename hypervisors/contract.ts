/**
 * What Rouse asks of a platform that runs machines. The words MUST, MUST NOT and MAY are those of RFC 2119.
 *
 * One `Machine` object stands for one recovered machine and its directory. The supervisor calls its methods one at a time
 * (never two at once for one machine, `openTargets`, `volume`, `takenMiB`, `console`, `agentAnswers`, `agentRuns` and `screenshot` excepted), from one process at a time; it MAY die at any moment, and
 * the next supervisor makes a new object from the same definition and calls again. So:
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
 *  - A `signal` that is aborted ends a call soon, as if it had thrown; where that would leave the guest worse off (in the
 *    pause of a switch) the platform finishes what cannot be left first.
 *
 * Which calls hang on a read that nobody answers is the platform's own affair: it makes them through the `MoverGate` that
 * it is handed. Everything that is only one platform's (how a disk is laid out, what serves the mover's disks to the
 * guest, when a snapshot is merged) stays behind these methods.
 *
 * conformance.ts holds every platform to this.
 */
import type { Duplex } from 'node:stream';
import type { Hardware, PlatformData } from '../model/hardware.ts';
import type { PartialSize } from '../model/machine-size.ts';
import type { Firmware, MachineConfig } from '../model/machine.ts';
import type { AllocateWhen, Chain, Forward, PlannedNic, Power } from '../model/recovery.ts';
import type { VolumeFiles } from '../volume/disk-files.ts';

export interface CallOptions {
	signal?: AbortSignal | undefined;
}

export interface MachineDisk {
	/** `disk0`, `disk1`, …: the device's name at the machine. */
	name: string;
	/** Whole sectors: what the guest sees. */
	sizeBytes: number;
	/** Names of the disk at the mount mover's NBD server: `now` fails at once where `wait` waits for the repository. */
	exports: { now: string; wait: string };
}

export interface MachineDefinition {
	recoveryId: string;
	machineName: string;
	/** What the machine was. */
	config: MachineConfig;
	/** What this platform chose for it. */
	hardware: PlatformData;
	nics: readonly PlannedNic[];
	disks: readonly MachineDisk[];
	/** Whether targets take their whole space when they are made, or as they fill. */
	allocate: AllocateWhen;
	/** Durable files of this machine. */
	directory: string;
	/** Sockets and what else is gone after a boot of the host; not always there. */
	runDirectory: string;
	/** Unix socket of the mount mover's NBD server. */
	nbdSocket: string;
}

/** The disk that is filled and in the end is the machine's, as the movers open it. */
export interface Target {
	/**
	 * Names this target for good, whatever `path` leads to it later; at most 64 printable characters. One that begins with
	 * `file-` is compared by the movers with what they opened (system/file-identity.ts); for any other the platform MUST
	 * have made sure that `path` leads to it.
	 */
	identity: string;
	/** A file, or a block device. MAY be another one after every boot of the host: asked for anew whenever it is needed. */
	path: string;
	/** Where its owner finds it, for people; absent: `path`. */
	place?: string;
	/** Where the disk's first byte lies in it. */
	offsetBytes: number;
	/** It read zero everywhere when it was made. */
	readsZero: boolean;
}

/** How the machine is now. MUST be an observation, never a memory. */
export interface MachineObservation {
	/** `off`: it does not run. `paused`: the guest stands still and can go on. `crashed`: only a reset leads out of it. */
	power: Power;
	/** With `off`: the guest has powered itself off. False when its power was taken away, or nobody can tell. */
	byGuest: boolean;
	/** Set when the guest stands still because a read or a write failed. */
	ioError: { disk: string; operation: 'read' | 'write'; noSpace: boolean } | undefined;
	crash: Crash | undefined;
}

/** Set with `crashed`. */
export interface Crash {
	reason: string;
	/**
	 * The guest has written nothing yet, and the platform knows a way of running it that asks less of the host: its name.
	 * Offered once; `fallBack` takes it.
	 */
	fallBack: string | undefined;
}

/** What the switch needs from the supervisor. Each call returns only when its effect is there (and durable, for a mark). */
export interface SwitchCalls {
	/** The last mark that is durable. */
	readonly chain: Chain;
	/**
	 * Makes the mark durable; it never goes back. `local`: before anything stops serving the mover's chain. `target`: nothing
	 * of Rouse's is needed any more, and the platform finishes by itself what may be left (a snapshot that it merges); before
	 * a guest write can reach the target alone. When it throws nobody knows which mark is durable: the guest MUST NOT run
	 * until a later attempt knows.
	 */
	mark(chain: Chain): Promise<void>;
	/** Remembers, durably, whether the guest is to run again after the pause; asked by a later attempt. */
	rememberResume(resume: boolean): Promise<void>;
	readonly resume: boolean | undefined;
	/** The chain does not need the mount mover any more. */
	stopMountMover(): Promise<void>;
	/** For tests: called with the platform's own name of the place just reached. When it throws, the attempt ends there. */
	reached(place: string): Promise<void>;
}

/**
 * The way past reads that the mount mover does not answer. A mover that is told to fail them answers with an error; the
 * machine MUST then keep the request and ask again at `resume`. Once the chain does not need the mover all of it does
 * nothing.
 */
export interface MoverGate {
	/**
	 * Resolves when the mount mover answers and holds no read that waits; those that linger for `patienceMs` are failed.
	 * Throws `mover_unreachable` when it cannot be brought to that.
	 */
	clear(options: CallOptions & { patienceMs: number }): Promise<void>;
	/**
	 * Does `work`, which waits for the machine's reads. Meanwhile the mount mover is kept alive, and when `work` does not
	 * come back within `patienceMs` (never, by default) what waits is failed. `first`: it is failed before, since `work` is
	 * known to wait for it. The mover serves again afterwards. It ends only when `work` has, aborted or not.
	 */
	pass<T>(work: () => Promise<T>, options: CallOptions & { first?: boolean; patienceMs?: number }): Promise<T>;
	/**
	 * The platform does not answer at all. Fails what waits, if that is why, does `work`, and lets the mover serve again;
	 * false when no read waited, and nothing was done.
	 */
	free(work: () => Promise<void>, options: CallOptions): Promise<boolean>;
	/**
	 * The targets were let go as the mount mover has opened them: it is ended and started anew with what `openTargets` says
	 * then, and answers when this resolves. Reads wait meanwhile, and none is failed. Throws `mover_unreachable`.
	 */
	reopen(options: CallOptions): Promise<void>;
}

export type ConsoleKind = 'serial' | 'screen';

export interface AgentRunLimits {
	timeoutMs: number;
	mostBytes: number;
}

export interface AgentRun {
	exitCode: number;
	output: string;
}

export interface Machine {
	/** For a person who looks into it: names and places of the platform's own, shown as they are. */
	readonly debug: Readonly<Record<string, string>>;

	/**
	 * Targets of the size that the disks need, reading zero where `Target.readsZero` will say so. What is there is only ever
	 * made larger. Throws `space_short` when the datastore cannot take them.
	 */
	makeTargets(options?: CallOptions): Promise<void>;

	/**
	 * The targets, one a disk, ready to be opened by the movers; makes them so where a boot of the host or of a helper has
	 * undone it. `identity_conflict` when one is not there. MAY be called while another call is under way: the watch starts
	 * movers at any time. From the mark `local` on it MUST still tell the identities; `path` need not open.
	 */
	openTargets(options?: CallOptions): Promise<Target[]>;

	/** The dummy machine: same configuration, powered off, disks as defined. MUST NOT start anything. */
	create(options?: CallOptions): Promise<void>;

	/**
	 * What the mount mover is to serve beside the disks: a volume that `create` has made. Asked at every start of the mover,
	 * and MAY be called while another call is under way. A platform without it takes the disks as they are.
	 */
	volume?(): Promise<VolumeFiles | undefined>;

	/**
	 * The mount mover's disks become what the machine's disk chain can stand on. Called before the snapshot, and before every
	 * start on chain `mover`. Throws `mover_unreachable` when the mover's disks cannot be read.
	 */
	presentBase(options?: CallOptions): Promise<void>;

	/**
	 * Asked at every look while the machine runs on chain `mover` and the mount mover answers: that what `presentBase` has
	 * made is there still, which a death or a boot of the host undoes under the machine. Starts what is missing, and MUST NOT
	 * touch the machine; a guest that stands still because of it is let go on by `resume`. True when something was started
	 * anew. It has little time: what does not answer soon is thrown, and asked again. A platform without it has nothing there
	 * that could die.
	 */
	keepBase?(options?: CallOptions): Promise<boolean>;

	/**
	 * The protective snapshot: afterwards guest writes have a place of their own that reads through to the mount mover.
	 * MUST NOT touch an existing snapshot: it may hold guest writes. One that was made and is gone MUST NOT be made again
	 * (`machine_failed`). MUST fail (`mover_unreachable`), and leave nothing, when the mount mover's disks cannot be read.
	 */
	snapshot(options?: CallOptions): Promise<void>;

	/**
	 * Of its MAC addresses those that somebody else has where its NICs lead, a sentence each, as far as the host knows. Asked
	 * before a start, which it does not forbid.
	 */
	addressesInUse(options?: CallOptions): Promise<string[]>;

	/**
	 * Starts the machine on `chain`, with the guest running. MAY find it running: then nothing happens. MUST NOT start on
	 * a chain other than the one given, and MUST let no second instance touch the disks. A guest that has powered itself
	 * off, or has crashed, starts anew; one that stands still because of an I/O error is left to `resume`. Throws
	 * `phase_wrong` in the pause of a switch, which has to be carried on first. When the platform could not start it and
	 * knows a way that asks less of the host, `machine_failed` names it in `details.fallBack`, as `Crash.fallBack` does.
	 */
	powerOn(chain: Chain, options?: CallOptions): Promise<void>;

	/** Takes the way that was offered: durable first, for every later start; then the guest starts anew. */
	fallBack(chain: Chain, options?: CallOptions): Promise<void>;

	/** Asks the guest to shut down (ACPI); returns at once. */
	shutdown(options?: CallOptions): Promise<void>;

	/** Resets the guest. */
	reset(options?: CallOptions): Promise<void>;

	/**
	 * Takes the power away: afterwards nothing of the machine runs. Flushed writes survive. MUST succeed on a machine that
	 * hangs (the platform's process is ended by force), and MUST NOT wait for a read.
	 */
	powerOff(options?: CallOptions): Promise<void>;

	/** Lets a guest go on that stands still because of an I/O error; the failed request is tried again. */
	resume(options?: CallOptions): Promise<void>;

	observe(options?: CallOptions): Promise<MachineObservation>;

	/**
	 * How much of the host's memory it takes at present: 0 when it does not run. MAY be called while another call is under
	 * way, and MUST NOT ask the machine. A platform without it gives a machine all of its memory when it starts.
	 */
	takenMiB?(): Promise<number>;

	/**
	 * All targets hold every block and no other process has them open for writing. Moves the machine from the mount mover
	 * to the targets, while the guest runs or with a short pause, and lets go of the targets as the movers opened them. With
	 * the machine off it does the same offline. MUST carry on from any place at which an earlier attempt died, with the
	 * machine running or not. A guest that ran runs again afterwards, also when the attempt that paused it died; one that
	 * did not run MUST NOT be started. When it fails before the mark `target` (`space_short`, `io_failed`) the machine MUST
	 * go on as it was.
	 * Returns how long the guest stood still; 0 when it did not run.
	 */
	switchToTarget(calls: SwitchCalls, options?: CallOptions): Promise<{ pauseMs: number }>;

	/** The machine's console as bytes in both directions; `screen` speaks RFB. `phase_wrong` while there is none. */
	console(kind: ConsoleKind, options?: CallOptions): Promise<Duplex>;

	/**
	 * Whether the agent in the guest answers. MAY be called while another call is under way, MUST come back within five
	 * seconds, and MUST NOT disturb the machine; of what comes from the guest nothing is trusted. False while the machine is
	 * off. A platform without it has no way to an agent, and `Hardware.agent` says of which machines it has one.
	 */
	agentAnswers?(options?: CallOptions): Promise<boolean>;

	/**
	 * Runs a program in the guest by its agent, and waits for its end: what it said, to at most `mostBytes` of its end. Asked
	 * of machines that nobody works with. As `agentAnswers` beside other calls; nothing of what comes is trusted. Throws
	 * `timeout`, and `not_ready` when the agent does not answer or has no such command.
	 */
	agentRuns?(command: readonly string[], options: CallOptions & AgentRunLimits): Promise<AgentRun>;

	/**
	 * What the machine's screen shows, as PNG. MAY be called while another call is under way, MUST come back within ten
	 * seconds, and MUST NOT disturb the machine. `phase_wrong` while it is off. A platform without it gives no pictures.
	 */
	screenshot?(options: CallOptions & { mostBytes: number }): Promise<Buffer>;

	/**
	 * What a person needs to run the machine without Rouse (start script); called after the switch. Of the platform's own
	 * files only those that the machine needs remain.
	 */
	handOver(options?: CallOptions): Promise<void>;

	/** Ends the machine and removes all that belongs to it but the targets. MAY find nothing. MUST NOT wait for a read. */
	remove(options?: CallOptions): Promise<void>;

	/** After `remove`: the targets go too. MAY find nothing. */
	removeTargets(options?: CallOptions): Promise<void>;

	/** Closes connections of this object; the machine goes on. */
	close(): Promise<void>;
}

/** What a host is asked before a recovery is planned on it. */
export interface HostReport {
	/** Name and version of what runs machines. */
	name: string;
	version: string | undefined;
	/** How the guests' instructions are run, in a word of the platform's. */
	accelerator: string;
	firmwares: readonly Firmware[];
	/** Where a NIC may lead, beside `none`. */
	networks: readonly { name: string; description: string }[];
	/** Why a kind of them is not among these, where something stands in its way. */
	networksMissing?: string | undefined;
	/** Why one that somebody may well ask for is not among these, and what is there instead, by its name. */
	networksInstead?: Readonly<Record<string, string>> | undefined;
	/** Of the datastore that targets and snapshots lie on. */
	freeBytes: number;
	memory: { totalMiB: number; freeMiB: number };
	warnings: readonly string[];
	/** Set when it cannot run machines at all. */
	unusable: { code: 'tool_missing' | 'precheck_failed'; message: string; hint: string } | undefined;
}

/** What the machines of a host share, as it is at one moment. */
export interface HostResources {
	memory: { totalMiB: number; freeMiB: number };
	/** Logical processors. */
	cpus: number;
}

export interface HardwareRequest {
	config: MachineConfig;
	/** What the machine had, where another size was asked for. */
	had?: PartialSize | undefined;
	nics: readonly PlannedNic[];
	forwards?: readonly Forward[] | undefined;
	/** How large its disks are, in their order; absent: not looked at. */
	diskSizesBytes?: readonly number[] | undefined;
	/** As a person or the configuration gave them; `config_invalid` for what this platform does not know. */
	options: PlatformData;
	/**
	 * The machine is that of a drill: none of its NICs may lead anywhere. Beside `none` there is the network `isolated`
	 * (model/isolated-network.ts) for it, which is the machine's own; a platform that cannot make one MUST refuse it with
	 * `config_invalid`, and MUST NOT take something that merely has this name.
	 */
	isolated?: boolean | undefined;
}

export interface Platform {
	readonly kind: string;
	/** MUST come back within seconds. */
	report(): Promise<HostReport>;
	/** Looked at again and again, and not more often than each `everyMs`; MUST come back within half a minute. */
	readonly resources: { readonly everyMs: number; look(): Promise<HostResources> };
	/** Changes with every boot of what runs the machines. */
	bootId(): Promise<string>;
	/**
	 * Chooses devices for a machine, and says why. Changes nothing. Throws `config_invalid` for options, networks and forwards
	 * that it does not have, `precheck_failed` for a machine that it cannot run: one larger than the host, or than the file
	 * system here takes.
	 */
	chooseHardware(request: HardwareRequest, options?: CallOptions): Promise<Hardware>;
	machine(definition: MachineDefinition, gate: MoverGate): Machine;
}
