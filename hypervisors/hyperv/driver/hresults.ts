/**
 * What Windows says by number, and what a person does about it. Names and numbers are facts of Microsoft's documentation
 * (CC BY 4.0), no text of it:
 *  - virtual disks: https://github.com/MicrosoftDocs/win32/blob/docs/desktop-src/com/com-error-codes-8.md
 *  - system: https://learn.microsoft.com/windows/win32/debug/system-error-codes, as HRESULT of facility 7
 *  - WMI: https://learn.microsoft.com/windows/win32/wmisdk/wmi-error-constants
 *  - return values of VMMS: https://learn.microsoft.com/windows/win32/hyperv_v2/requeststatechange-msvm-computersystem
 *  - iSCSI: https://learn.microsoft.com/windows-hardware/drivers/storage/iscsi-status-qualifiers
 */
import type { ErrorCode } from '../../../model/errors.ts';
import { iscsiMeanings } from './iscsi-results.ts';
import type { Meaning } from './meaning.ts';
import { virtualDiskMeanings } from './virtual-disk-results.ts';

const startVmms = 'start the service of Hyper-V on that host, if it does not run: Start-Service vmms';

const systemMeanings: readonly Meaning[] = [
	{
		names: { '0x80070005': 'ERROR_ACCESS_DENIED', '0x80041003': 'WBEM_E_ACCESS_DENIED', '0x00008001': 'access denied' },
		code: 'machine_failed',
		hint: 'the user that Rouse logs in as must be an administrator of that host; of a disk that its machine may not open: icacls FILE /grant "NT VIRTUAL MACHINE\\ID:F", with the id that Get-VM shows',
	},
	{
		names: {
			'0x80070002': 'ERROR_FILE_NOT_FOUND',
			'0x80070003': 'ERROR_PATH_NOT_FOUND',
			'0x0000800B': 'file not found',
		},
		code: 'machine_failed',
		hint: 'a file of the machine is not where it was: look at its disks (Get-VMHardDiskDrive), and whether their drives are there',
	},
	{
		names: {
			'0x80070020': 'ERROR_SHARING_VIOLATION',
			'0x80070021': 'ERROR_LOCK_VIOLATION',
			'0x800700AA': 'ERROR_BUSY',
			'0x00008006': 'system is in use',
		},
		code: 'hypervisor_failed',
		hint: 'another program of that host has the file open: a backup, a virus scanner (Hyper-V needs exclusions), a disk that somebody mounted (Dismount-VHD); it is tried again',
	},
	{
		names: { '0x80070070': 'ERROR_DISK_FULL', '0x80070027': 'ERROR_HANDLE_DISK_FULL' },
		code: 'space_short',
		hint: "make room on the host's datastore",
	},
	{
		names: {
			'0x8007000E': 'E_OUTOFMEMORY',
			'0x800705AA': 'ERROR_NO_SYSTEM_RESOURCES',
			'0x800705AF': 'ERROR_COMMITMENT_LIMIT',
			'0x80041006': 'WBEM_E_OUT_OF_MEMORY',
			'0x0000800A': 'out of memory',
		},
		code: 'machine_failed',
		hint: 'the host has too little free memory: stop other machines, or give this one less',
	},
	{
		names: { '0x80070490': 'ERROR_NOT_FOUND', '0x80041002': 'WBEM_E_NOT_FOUND' },
		code: 'hypervisor_failed',
		hint: 'what was looked for went away meanwhile; it is looked for again',
	},
	{
		names: { '0x80070057': 'E_INVALIDARG', '0x00008005': 'invalid parameter', '0x00008008': 'incorrect data type' },
		code: 'machine_failed',
		hint: 'this Windows does not take what Rouse asks for: compare it with the versions in docs/hyperv.md',
	},
	{
		names: { '0x80070032': 'ERROR_NOT_SUPPORTED', '0x00008002': 'not supported' },
		code: 'machine_failed',
		hint: 'this Windows, or the file system of its datastore, cannot do this: the datastore must be on NTFS or ReFS',
	},
	{
		names: {
			'0x8007045D': 'ERROR_IO_DEVICE',
			'0x80070017': 'ERROR_CRC',
			'0x8007001D': 'ERROR_WRITE_FAULT',
			'0x8007001E': 'ERROR_READ_FAULT',
			'0x80070570': 'ERROR_FILE_CORRUPT',
			'0x8007000D': 'ERROR_INVALID_DATA',
		},
		code: 'io_failed',
		hint: "look at the host's disks: Get-PhysicalDisk, and chkdsk for the datastore",
	},
	{
		names: { '0x80070015': 'ERROR_NOT_READY', '0x80070079': 'ERROR_SEM_TIMEOUT', '0x80070037': 'ERROR_DEV_NOT_EXIST' },
		code: 'hypervisor_failed',
		hint: 'the volume does not answer: look at the appliance and at Get-IscsiSession on that host',
	},
	{
		names: { '0x800705B4': 'ERROR_TIMEOUT', '0x00008004': 'timeout' },
		code: 'hypervisor_stuck',
		hint: 'look at the host: it is overloaded, or a disk does not answer',
	},
	{
		names: { '0x800700B7': 'ERROR_ALREADY_EXISTS', '0x80070050': 'ERROR_FILE_EXISTS' },
		code: 'identity_conflict',
		hint: 'something of this name is there already, and is not of this recovery: look at it, and rename it',
	},
	{
		names: {
			'0x800706BA': 'RPC_S_SERVER_UNAVAILABLE',
			'0x80070426': 'ERROR_SERVICE_NOT_ACTIVE',
			'0x00008009': 'system is not available',
		},
		code: 'hypervisor_failed',
		hint: startVmms,
	},
	{
		names: { '0x80070422': 'ERROR_SERVICE_DISABLED' },
		code: 'machine_failed',
		hint: 'a service that is needed is disabled on that host: Set-Service vmms -StartupType Automatic, and MSiSCSI likewise',
	},
	{
		names: { '0x8004100E': 'WBEM_E_INVALID_NAMESPACE', '0x80041010': 'WBEM_E_INVALID_CLASS' },
		code: 'precheck_failed',
		hint: 'Hyper-V is not installed on that host: Install-WindowsFeature Hyper-V -IncludeManagementTools -Restart',
	},
	{
		names: { '0x00008007': 'invalid state for this operation' },
		code: 'phase_wrong',
		hint: 'look at the state of the machine: Get-VM',
	},
	{
		names: {
			'0x00008000': 'failed',
			'0x00008003': 'status is unknown',
			'0x80041001': 'WBEM_E_FAILED',
			'0x80004005': 'E_FAIL',
		},
		code: 'hypervisor_failed',
		hint: 'look at what the host logged: Get-WinEvent -LogName Microsoft-Windows-Hyper-V-VMMS-Admin -MaxEvents 20',
	},
];

const table = new Map(
	[...systemMeanings, ...virtualDiskMeanings, ...iscsiMeanings].flatMap(meaning =>
		Object.entries(meaning.names).map(([hresult, name]) => [hresult, { name, code: meaning.code, hint: meaning.hint }]),
	),
);

/** `hresult` as the driver writes it: `0x` and eight digits in upper case. */
export function meaningOf(hresult: string): { name: string; code: ErrorCode; hint: string } | undefined {
	return table.get(hresult);
}
