/**
 * The rules of Windows and Hyper-V that the simulated host obeys, as far as Rouse can meet them. What runs against this host
 * proves our side: that Rouse keeps to these rules and copes when they are enforced. It proves nothing of Hyper-V's. Rules
 * marked `documented` are written in Microsoft's documentation at the place that is named; `told` are those that others report
 * from real hosts; `guess` are ours, and only a real host can settle them.
 */

export interface Rule {
	/** As `HRESULT` of the exception that the cmdlet throws. */
	readonly hresult: string;
	/** The beginning of what Windows says. */
	readonly says: string;
	readonly known: 'documented' | 'told' | 'guess';
	/** Where it is written; for a guess, what makes us think so. */
	readonly source: string;
}

const codes = 'https://learn.microsoft.com/windows/win32/com/com-error-codes-8';
const systemCodes = 'https://learn.microsoft.com/windows/win32/debug/system-error-codes--0-499-';
const cmdlets = 'https://learn.microsoft.com/powershell/module/hyper-v';
const checkpoints =
	'https://learn.microsoft.com/troubleshoot/windows-server/virtualization/hyper-v-snapshots-checkpoints-differencing-disks';
const vmms =
	'https://learn.microsoft.com/windows/win32/hyperv_v2/requeststatechange-msvm-computersystem (return values of VMMS); which one a cmdlet shows is not documented';

export const rules = {
	idMismatch: {
		hresult: '0xC03A000E',
		says: 'The chain of virtual hard disks is corrupted. There is a mismatch in the identifiers of the parent virtual hard disk and differencing disk.',
		known: 'documented',
		source: `${codes} and ${cmdlets}/set-vhd (IgnoreIdMismatch); [MS-VHDX] 2.6.2.6.3`,
	},
	sizeMismatch: {
		hresult: '0xC03A0017',
		says: 'There is a mismatch in the virtual size of the parent virtual hard disk and differencing disk.',
		known: 'documented',
		source: codes,
	},
	parentNotFound: {
		hresult: '0xC03A000D',
		says: 'The chain of virtual hard disks is inaccessible. The process was unable to locate the parent virtual hard disk.',
		known: 'documented',
		source: codes,
	},
	parentDenied: {
		hresult: '0xC03A0016',
		says: 'The chain of virtual hard disks is inaccessible. The process was not granted access rights to the parent virtual hard disk.',
		known: 'documented',
		source: codes,
	},
	notVirtualDisk: {
		hresult: '0xC03A0015',
		says: 'The specified disk is not a virtual disk.',
		known: 'documented',
		source: codes,
	},
	diskTooSmall: {
		hresult: '0xC03A0012',
		says: 'The size of the virtual hard disk is not valid.',
		known: 'documented',
		source: `${codes}; the minimum of 3 MiB: https://learn.microsoft.com/windows/win32/vstor/about-vhd`,
	},
	notDifferencing: {
		hresult: '0xC03A001B',
		says: 'The requested operation could not be completed due to a virtual disk system limitation: the type of the virtual disk is not valid.',
		known: 'documented',
		source: codes,
	},
	fileInUse: {
		hresult: '0x80070020',
		says: 'The process cannot access the file because it is being used by another process.',
		known: 'documented',
		source: `${systemCodes}; that Set-VHD without LeafPath and Merge-VHD need a chain that is not attached: ${cmdlets}/set-vhd, ${cmdlets}/merge-vhd`,
	},
	fileExists: {
		hresult: '0x80070050',
		says: 'The file exists.',
		known: 'documented',
		source: systemCodes,
	},
	fileNotFound: {
		hresult: '0x80070002',
		says: 'The system cannot find the file specified.',
		known: 'documented',
		source: systemCodes,
	},
	pathNotFound: {
		hresult: '0x80070003',
		says: 'The system cannot find the path specified.',
		known: 'documented',
		source: systemCodes,
	},
	accessDenied: {
		hresult: '0x80070005',
		says: 'General access denied error',
		known: 'documented',
		source: `${checkpoints}: "NT VIRTUAL MACHINE\\<VM GUID>" needs full control of each file`,
	},
	diskFull: {
		hresult: '0x80070070',
		says: 'There is not enough space on the disk.',
		known: 'documented',
		source: systemCodes,
	},
	deviceNotReady: {
		hresult: '0x80070015',
		says: 'The device is not ready.',
		known: 'documented',
		source: `${systemCodes}; that a read of a disk whose iSCSI session is lost for good ends with it is a guess`,
	},
	memoryShort: {
		hresult: '0x8007000E',
		says: 'Not enough memory in the system to start the virtual machine.',
		known: 'told',
		source: 'Hyper-V-VMMS event 3122 with 0x8007000E, in many reports',
	},
	wrongState: {
		hresult: '0x00008007',
		says: 'The operation cannot be performed while the virtual machine is in its current state.',
		known: 'guess',
		source: vmms,
	},
	checkpointsDisabled: {
		hresult: '0x00008002',
		says: 'Checkpoints have been disabled for this virtual machine.',
		known: 'documented',
		source: `${cmdlets}/set-vm (CheckpointType Disabled: block creation of checkpoints); the code is a guess`,
	},
	checkpointInMidst: {
		hresult: '0x00008002',
		says: 'The checkpoint has others that stand on it.',
		known: 'guess',
		source: 'Hyper-V merges it into the next one; here it is refused, so that it is noticed',
	},
	slotTaken: {
		hresult: '0x80070057',
		says: 'There is already a device at this location of the controller.',
		known: 'guess',
		source: vmms,
	},
	noSuchSlot: {
		hresult: '0x80070057',
		says: 'The controller has no such location.',
		known: 'guess',
		source: `IDE has 2 controllers of 2, SCSI 4 of 64: https://learn.microsoft.com/windows-server/virtualization/hyper-v/maximum-scale-limits; ${vmms}`,
	},
	ideIsFixed: {
		hresult: '0x00008007',
		says: 'Disks of an IDE controller can be added or removed only while the virtual machine is off.',
		known: 'documented',
		source: `https://learn.microsoft.com/windows-server/virtualization/hyper-v/plan/should-i-create-a-generation-1-or-2-virtual-machine-in-hyper-v (the code is a guess)`,
	},
	noIde: {
		hresult: '0x80070057',
		says: 'Virtual machines of generation 2 have no IDE controller.',
		known: 'documented',
		source:
			'https://learn.microsoft.com/windows-server/virtualization/hyper-v/plan/should-i-create-a-generation-1-or-2-virtual-machine-in-hyper-v (the code is a guess)',
	},
	surpriseRemoval: {
		hresult: '0x00008006',
		says: 'The system is in use: the guest has not let the disk go.',
		known: 'guess',
		source:
			'Hyper-V takes a drive away from a guest that uses it, whose writes then fail. Here it is refused, so that it is noticed',
	},
	savedStateUnusable: {
		hresult: '0x80004005',
		says: 'The virtual machine could not be restored from its saved state.',
		known: 'guess',
		source: 'reports of saved states that do not resume name several codes; that the machine stays Saved is one, too',
	},
	loginFailed: {
		hresult: '0xEFFF0009',
		says: 'Authentication Failure.',
		known: 'told',
		source: 'iscsicli and Connect-IscsiTarget with a wrong CHAP secret, in many reports',
	},
	connectionFailed: {
		hresult: '0xEFFF0003',
		says: 'Connection Failed.',
		known: 'documented',
		source: 'ISDSC_CONNECTION_FAILED of iscsierr.h',
	},
	sessionInUse: {
		hresult: '0xEFFF0040',
		says: 'The session cannot be logged out since a device on that session is currently being used.',
		known: 'documented',
		source: 'ISDSC_DEVICE_BUSY_ON_SESSION of iscsierr.h',
	},
	noSuchDisk: {
		hresult: '0x80041002',
		says: 'No disk with that GUID appeared.',
		known: 'guess',
		source: 'Get-Disk finds nothing: WBEM_E_NOT_FOUND',
	},
	writeProtected: {
		hresult: '0x80070013',
		says: 'The media is write protected.',
		known: 'documented',
		source: `${systemCodes}; that SAN policy may leave a new disk offline or read-only: https://learn.microsoft.com/windows-server/administration/windows-commands/san`,
	},
} as const satisfies Record<string, Rule>;

export type RuleName = keyof typeof rules;

/** What a cmdlet throws. */
export class WindowsError extends Error {
	override readonly name = 'WindowsError';
	readonly hresult: string;
	readonly cmdlet: string;

	constructor({ hresult, cmdlet }: { hresult: string; cmdlet: string }, message: string) {
		super(message);
		this.hresult = hresult;
		this.cmdlet = cmdlet;
	}
}

/** A rule that a cmdlet was asked to break. */
export function breaks(rule: RuleName, cmdlet: string, what: string): WindowsError {
	const { hresult, says } = rules[rule];
	return new WindowsError({ hresult, cmdlet }, `${cmdlet}: ${says} ${what}`);
}
