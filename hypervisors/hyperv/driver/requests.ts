/**
 * What the driver on the Windows host is asked, an operation each, and what it answers. The driver is `powershell/`, constant
 * and without a memory: it looks at what is there, does what is missing, and says what it found. The simulator of the Windows
 * side speaks the same words.
 *
 *  - Every operation may be asked again, and then finds its work done.
 *  - It touches nothing but machines in whose notes `recoveryId` (or `setupId`) stands, files whose whole path it was given, and the one
 *    iSCSI target that it was named.
 *  - Paths are Windows' own, absolute, with backslashes. GUIDs are in lower case without braces.
 */
import * as z from 'zod';
import { bytes, guid, nicSchema, operation, sectorBytes, windowsPath } from './request-parts.ts';
import { setupOperations } from './setup-requests.ts';

const recoveryId = z.uuid();

/** Where a disk hangs at a machine. Generation 1 boots from IDE only, generation 2 from SCSI only. */
export const slotSchema = z.strictObject({
	controller: z.enum(['IDE', 'SCSI']),
	number: z.int().min(0).max(3),
	location: z.int().min(0).max(63),
});
export type Slot = z.infer<typeof slotSchema>;

/** As `Get-VM` spells them: Microsoft.HyperV.PowerShell.VMState. */
export const vmStateSchema = z.enum([
	'Off',
	'Running',
	'Saved',
	'Paused',
	'Starting',
	'Stopping',
	'Saving',
	'Pausing',
	'Resuming',
	'Reset',
	'ForceShutdown',
	'FastSaved',
	'FastSaving',
	'RunningCritical',
	'OffCritical',
	'StoppingCritical',
	'SavedCritical',
	'PausedCritical',
	'StartingCritical',
	'ResetCritical',
	'SavingCritical',
	'PausingCritical',
	'ResumingCritical',
	'FastSavedCritical',
	'FastSavingCritical',
	'Other',
]);
export type VmState = z.infer<typeof vmStateSchema>;

const virtualDiskSchema = z.object({
	path: z.string(),
	type: z.enum(['Fixed', 'Dynamic', 'Differencing']),
	/** Page 83 of the disk as a guest sees it: `DiskIdentifier` of `Get-VHD`. */
	virtualDiskId: guid,
	sizeBytes: bytes,
});
export type VirtualDisk = z.infer<typeof virtualDiskSchema>;

/**
 * A file of the machine and what it stands on. `awaited` is the target that takes the place of the lowest of its files: while it is
 * there under its own name, an empty placeholder is in that place.
 */
const standing = z.strictObject({
	leaf: windowsPath,
	parent: windowsPath.nullable(),
	awaited: windowsPath.nullable().default(null),
});

const targetPortal = z.strictObject({ address: z.union([z.ipv4(), z.ipv6()]), port: z.int().min(1).max(65_535) });

export const operations = {
	...setupOperations,
	/** Who answers. */
	hello: operation(
		{},
		z.object({
			powerShell: z.string(),
			/** With the revision of its updates: 10.0.20348.2700. */
			windows: z.string(),
			computerName: z.string(),
			/** Changes with every boot of Windows. */
			bootId: z.string().min(1),
			/** It acts as an administrator with all powers. */
			elevated: z.boolean(),
		}),
	),
	/** What the host has, for a plan. */
	report: operation(
		{ datastore: windowsPath },
		z.object({
			freeBytes: bytes,
			memoryTotalMiB: z.int().min(0),
			memoryFreeMiB: z.int().min(0),
			processors: z.int().min(1),
			switches: z.array(z.object({ name: z.string(), type: z.enum(['External', 'Internal', 'Private']) })),
			/** Absent where the service is not installed. */
			initiatorName: z.string().nullable(),
			hyperV: z.string(),
		}),
	),
	/** Which of these parameters this host's cmdlets do not have. */
	'check-cmdlets': operation(
		{ cmdlets: z.record(z.string(), z.array(z.string())) },
		z.object({ missing: z.array(z.object({ cmdlet: z.string(), parameter: z.string().nullable() })) }),
	),

	/**
	 * The disk to fill. `knownId` is that of one that was made before: with it no other is made in its place, and one that is
	 * gone, or another, is `identity_conflict`. `placeholder`: an empty disk of the same identity is made there before it.
	 */
	'make-target': operation(
		{
			recoveryId,
			path: windowsPath,
			sizeBytes: bytes,
			/** 512 and 4096 is what guests with sectors of 512 bytes get; an overlay's are those of its parent. */
			logicalSectorBytes: sectorBytes.default(512),
			physicalSectorBytes: sectorBytes.default(4096),
			whole: z.boolean(),
			knownId: guid.nullable(),
			placeholder: windowsPath.nullable().default(null),
		},
		virtualDiskSchema.extend({
			made: z.boolean(),
			/** Of the placeholder: what a differencing disk over it takes for its parent. */
			placeholderDataId: guid.nullable(),
		}),
	),
	/** As a SCSI disk of the appliance, while that runs. `slots_full` when it has no place left. */
	'attach-target': operation({ recoveryId, appliance: guid, path: windowsPath, virtualDiskId: guid }, slotSchema),
	/** The appliance has let it go before (its kernel knows it no more). MAY find it detached. */
	'detach-target': operation({ recoveryId, appliance: guid, path: windowsPath }, z.object({ detached: z.boolean() })),
	/** Detached, then gone. */
	'remove-targets': operation(
		{ recoveryId, appliance: guid, paths: z.array(windowsPath).max(192), directory: windowsPath },
		z.object({ removed: z.int().min(0) }),
	),
	/**
	 * For overlays by checkpoint: the target takes its `place`, where the placeholder is, which goes to `kept`; or each goes
	 * back to its own. A machine that runs has none of them open: else `state_wrong`. `merged`: the placeholder may be gone, the
	 * target may be wherever its owner has put it, and of a machine that is gone it comes back all the same; else a target that is
	 * nowhere is `chain_unexpected`.
	 */
	'put-target': operation(
		{
			recoveryId,
			target: windowsPath,
			place: windowsPath,
			kept: windowsPath,
			to: z.enum(['place', 'own']),
			merged: z.boolean().default(false),
		},
		z.object({ changed: z.boolean() }),
	),

	/** Without disks, off, starting by nothing but our order, and taking no checkpoints by itself. */
	'create-machine': operation(
		{
			recoveryId,
			name: z.string().min(1).max(100),
			directory: windowsPath,
			generation: z.union([z.literal(1), z.literal(2)]),
			memoryMiB: z.int().min(32),
			processors: z.int().min(1),
			/** Of generation 2: the template, or off. */
			secureBoot: z.enum(['MicrosoftWindows', 'MicrosoftUEFICertificateAuthority', 'Off']),
			nics: z.array(nicSchema).max(8),
			/** Named pipe of its first serial port. */
			pipe: z.string().regex(/^\\\\\.\\pipe\\[\w-]{1,80}$/),
		},
		z.object({ vmId: guid, made: z.boolean() }),
	),
	/** How it is; `null` when there is none. Looks at no disk, and so waits for none. */
	observe: operation(
		{ recoveryId },
		z
			.object({
				vmId: guid,
				name: z.string(),
				state: vmStateSchema,
				/** As the host has it: `OkApplicationsHealthy`, `NoContact` and more; what is not known counts as no answer. */
				heartbeat: z.string().max(100),
				/**
				 * Why it is off, as the host's event log has it; `unknown` when it says nothing. `guest`: it powered itself off,
				 * also one that was asked to.
				 */
				stoppedBy: z.enum(['guest', 'order', 'unknown']),
				/** Of the machine's process; 0 when it does not run. */
				uptimeMs: z.number().min(0),
				/** Others than that of `make-checkpoint`. */
				checkpoints: z.int().min(0),
				hasOwnCheckpoint: z.boolean(),
			})
			.nullable(),
	),
	/**
	 * Its disks and what each stands on, the leaf first. Opens every file, those on the volume too. Of `awaited` those are told
	 * that are there.
	 */
	chain: operation(
		{ recoveryId, awaited: z.array(windowsPath).max(64).default([]) },
		z.object({
			awaited: z.array(z.string()),
			disks: z.array(z.object({ slot: slotSchema, files: z.array(virtualDiskSchema).min(1) })),
		}),
	),
	/**
	 * A differencing disk for the guest's writes, at the machine. One that is there is left as it is, when it stands on
	 * `parent`; else `chain_unexpected`.
	 */
	'make-overlay': operation(
		{ recoveryId, path: windowsPath, parent: windowsPath, parentId: guid, slot: slotSchema },
		z.object({ made: z.boolean() }),
	),
	/**
	 * The placeholders become the machine's disks, and a checkpoint of it, which is off, puts a differencing disk over each:
	 * those are answered. Done again it finds them, over the placeholder or over `base`; else `chain_unexpected`. One that died
	 * before it had its name gets it. None is made after it.
	 */
	'make-checkpoint': operation(
		{
			recoveryId,
			disks: z
				.array(z.strictObject({ placeholder: windowsPath, base: windowsPath, placeholderId: guid, slot: slotSchema }))
				.min(1)
				.max(64),
		},
		z.object({ overlays: z.array(z.string()) }),
	),
	/**
	 * Windows merges what stands over the targets into them, while the machine runs or is off, and goes on after the answer; then
	 * nobody needs what is `kept`. When a disk stands otherwise: `chain_unexpected`. MAY find no checkpoint.
	 */
	'remove-checkpoint': operation(
		{
			recoveryId,
			disks: z.array(standing).min(1).max(64),
			kept: z.array(windowsPath).max(64),
			directory: windowsPath,
		},
		z.object({ removed: z.boolean() }),
	),
	/**
	 * Starts it, or resumes a saved one, if each of its disks stands on what is said here, and on no placeholder; else
	 * `chain_unexpected`.
	 */
	start: operation({ recoveryId, disks: z.array(standing).min(1).max(64) }, z.object({ started: z.boolean() })),
	/**
	 * `turn-off` waits for whatever was to start the machine, and is `busy` when that does not end: it may start yet then.
	 * `forget-saved` is power loss for the guest of a saved machine.
	 */
	power: operation(
		{ recoveryId, action: z.enum(['turn-off', 'shutdown', 'reset', 'resume', 'save', 'forget-saved']) },
		z.object({ state: vmStateSchema }),
	),
	/**
	 * What an overlay stands on becomes `parent`; the machine is off or saved. `from` are those that it may stand on now: else
	 * `chain_unexpected`. The machine's own account may open the new one afterwards.
	 */
	reparent: operation(
		{
			recoveryId,
			overlay: windowsPath,
			from: z.array(windowsPath).min(1).max(2),
			parent: windowsPath,
			parentId: guid,
			/** Also where it stands on `parent`: half a merge, or another file in that place, may have broken the link. */
			anew: z.boolean(),
			/** While it is there `parent` is an empty placeholder, and refused: `chain_unexpected`. */
			awaited: windowsPath.nullable().default(null),
			/** They hold the same, and Windows sees another id of content. */
			idsMayDiffer: z.boolean().default(true),
		},
		z.object({ changed: z.boolean() }),
	),
	/** The machine is off: the overlay's content goes into the target, which becomes the machine's disk. */
	merge: operation(
		{ recoveryId, overlay: windowsPath, target: windowsPath, slot: slotSchema },
		z.object({ merged: z.boolean() }),
	),
	/** It is its owner's: our marks in it stay, our wishes for its start and stop go. */
	'hand-over': operation({ recoveryId }, z.object({ vmId: guid })),
	/** Turned off, then gone, with its overlays; `busy` while Windows merges these. MAY find nothing. */
	'remove-machine': operation(
		{ recoveryId, overlays: z.array(windowsPath).max(64), directory: windowsPath },
		z.object({ removed: z.boolean() }),
	),

	/**
	 * The volume: session (again after each boot of Windows), disk online and writable, and its partition at `accessPath`, an
	 * empty directory. Answers when each of `files` can be opened.
	 */
	'connect-volume': operation(
		{
			recoveryId,
			portal: targetPortal,
			iqn: z.string(),
			chapUser: z.string(),
			chapSecret: z.string(),
			diskGuid: guid,
			partitionGuid: guid,
			accessPath: windowsPath,
			files: z.array(windowsPath).min(1).max(64),
		},
		z.object({ diskNumber: z.int().min(0), files: z.array(virtualDiskSchema) }),
	),
	/** MAY find nothing. */
	'disconnect-volume': operation(
		{ recoveryId, portal: targetPortal, iqn: z.string(), accessPath: windowsPath },
		z.object({ disconnected: z.boolean() }),
	),
} as const;

export type OperationName = keyof typeof operations;
export type RequestOf<Name extends OperationName> = z.input<(typeof operations)[Name]['request']>;
export type AnswerOf<Name extends OperationName> = z.output<(typeof operations)[Name]['answer']>;
