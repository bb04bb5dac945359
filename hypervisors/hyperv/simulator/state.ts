import * as z from 'zod';
import { RouseError } from '../../../model/errors.ts';
import { readIfThere } from '../../../system/if-there.ts';
import { replaceFileDurably } from '../../../system/durable-file.ts';

const slot = z.strictObject({
	controller: z.enum(['IDE', 'SCSI']),
	number: z.int().min(0),
	location: z.int().min(0),
});

const drive = z.strictObject({ slot, path: z.string() });
export type Drive = z.infer<typeof drive>;

/** A write that the guest has not flushed: in the memory of a machine that was saved. */
const unflushed = z.strictObject({ disk: z.string(), atBytes: z.int(), base64: z.string() });

const vm = z.strictObject({
	vmId: z.string(),
	name: z.string(),
	notes: z.string(),
	directory: z.string(),
	generation: z.union([z.literal(1), z.literal(2)]),
	memoryMiB: z.int(),
	processors: z.int(),
	/** Of 64 places each. */
	scsiControllers: z.int(),
	secureBoot: z.string(),
	/** What firmware of generation 2 tries first. */
	firstBoot: z.enum(['network', 'disk']),
	nics: z.array(z.strictObject({ name: z.string(), mac: z.string(), switchName: z.string().nullable() })),
	pipe: z.string(),
	automaticStart: z.enum(['Nothing', 'StartIfRunning', 'Start']),
	automaticStop: z.enum(['TurnOff', 'Save', 'ShutDown']),
	checkpointType: z.enum(['Disabled', 'Production', 'ProductionOnly', 'Standard']),
	drives: z.array(drive),
	/** Their names, the oldest first; each has a differencing disk over every drive. */
	checkpoints: z.array(z.string()),
	/** The newest was removed, and what was its differencing disk goes into what it stands on, until that is done. */
	merging: z.boolean(),
	/** The last thing that ended it, as the event log keeps it. */
	stoppedBy: z.enum(['guest', 'order', 'unknown']),
	/** Set while its memory is on the disk: it is `Saved`. */
	saved: z.strictObject({ guestBoot: z.string(), unflushed: z.array(unflushed) }).nullable(),
});
export type Vm = z.infer<typeof vm>;
export type Unflushed = z.infer<typeof unflushed>;

/** A partition of a disk with this GUID, as a directory. */
const accessPath = z.strictObject({
	path: z.string(),
	iqn: z.string(),
	diskGuid: z.string(),
	partitionGuid: z.string(),
});
export type AccessPath = z.infer<typeof accessPath>;

const address = z.strictObject({ address: z.string(), prefixLength: z.int() });

/** An internal one that was made here, and the host's addresses on it. */
const internalSwitch = z.strictObject({ name: z.string(), notes: z.string(), addresses: z.array(address) });

/** MSiSCSI, a service of Windows. */
const initiatorService = z.strictObject({
	startType: z.enum(['Automatic', 'Manual', 'Disabled']),
	running: z.boolean(),
});

const stateSchema = z.strictObject({
	/** Boots of Windows so far. */
	boots: z.int(),
	vms: z.array(vm),
	/** SCSI drives of the appliance. */
	applianceDrives: z.array(drive),
	/** Accounts that may open a file, by its path in lower case; the administrator and the system always may. */
	access: z.record(z.string(), z.array(z.string())),
	accessPaths: z.array(accessPath),
	/** GUIDs of disks that were set online and writable: remembered by Windows. */
	onlineDisks: z.array(z.string()),
	switches: z.array(internalSwitch),
	/** Names of rules that let somebody in. */
	firewallRules: z.array(z.string()),
	initiator: initiatorService,
});
export type HostState = z.infer<typeof stateSchema>;

/** What of the host survives its power loss, but for the files on its drives. */
export class StateStore {
	readonly state: HostState;
	readonly #path: string;
	#saved: Promise<void> = Promise.resolve();
	#hasPower = true;

	private constructor(path: string, state: HostState) {
		this.#path = path;
		this.state = state;
	}

	static async open(path: string): Promise<StateStore> {
		const text = await readIfThere(path);
		return new StateStore(path, text === undefined ? emptyState() : parse(path, text));
	}

	get hasPower(): boolean {
		return this.#hasPower;
	}

	/** Nothing becomes durable any more; resolves when nothing is being written. */
	async losePower(): Promise<void> {
		this.#hasPower = false;
		await this.#saved.catch(() => undefined);
	}

	/** Durable when it returns, with all that was changed before the call. */
	async save(): Promise<void> {
		if (!this.#hasPower) return;
		const before = this.#saved;
		const save = async () => {
			await before.catch(() => undefined);
			await replaceFileDurably(this.#path, JSON.stringify(this.state, undefined, '\t'));
		};
		this.#saved = save();
		await this.#saved;
	}
}

function emptyState(): HostState {
	return {
		boots: 0,
		vms: [],
		applianceDrives: [],
		access: {},
		accessPaths: [],
		onlineDisks: [],
		switches: [],
		firewallRules: [],
		// As Windows is installed.
		initiator: { startType: 'Manual', running: false },
	};
}

function parse(path: string, text: string): HostState {
	const parsed = stateSchema.safeParse(JSON.parse(text));
	if (parsed.success) return parsed.data;
	throw new RouseError('input_invalid', `${path} is no state of a simulated host: ${parsed.error.message}`);
}
