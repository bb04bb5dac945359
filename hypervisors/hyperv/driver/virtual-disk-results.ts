import type { Meaning } from './meaning.ts';

const damaged = 'the file is damaged: look at the disk that it lies on, and compare it with Test-VHD';

/** All of them; the list is that of the source in hresults.ts. */
export const virtualDiskMeanings: readonly Meaning[] = [
	{
		names: {
			'0xC03A0001': 'ERROR_VHD_DRIVE_FOOTER_MISSING',
			'0xC03A0002': 'ERROR_VHD_DRIVE_FOOTER_CHECKSUM_MISMATCH',
			'0xC03A0003': 'ERROR_VHD_DRIVE_FOOTER_CORRUPT',
			'0xC03A0006': 'ERROR_VHD_SPARSE_HEADER_CHECKSUM_MISMATCH',
			'0xC03A0008': 'ERROR_VHD_SPARSE_HEADER_CORRUPT',
			'0xC03A000A': 'ERROR_VHD_BLOCK_ALLOCATION_TABLE_CORRUPT',
			'0xC03A000C': 'ERROR_VHD_BITMAP_MISMATCH',
			'0xC03A0010': 'ERROR_VHD_METADATA_READ_FAILURE',
			'0xC03A0011': 'ERROR_VHD_METADATA_WRITE_FAILURE',
			'0xC03A0013': 'ERROR_VHD_INVALID_FILE_SIZE',
			'0xC03A001C': 'ERROR_VHD_INVALID_STATE',
		},
		code: 'io_failed',
		hint: damaged,
	},
	{
		names: {
			'0xC03A0004': 'ERROR_VHD_FORMAT_UNKNOWN',
			'0xC03A0005': 'ERROR_VHD_FORMAT_UNSUPPORTED_VERSION',
			'0xC03A0007': 'ERROR_VHD_SPARSE_HEADER_UNSUPPORTED_VERSION',
			'0xC03A0014': 'ERROR_VIRTDISK_PROVIDER_NOT_FOUND',
			'0xC03A0015': 'ERROR_VIRTDISK_NOT_VIRTUAL_DISK',
			'0xC03A001B': 'ERROR_VHD_INVALID_TYPE',
		},
		code: 'io_failed',
		hint: 'this is no virtual disk that this Windows knows, and was one when it was made: somebody replaced the file, or its disk is damaged',
	},
	{
		names: { '0xC03A0009': 'ERROR_VHD_BLOCK_ALLOCATION_FAILURE', '0xC03A0028': 'ERROR_VHD_METADATA_FULL' },
		code: 'space_short',
		hint: "make room on the host's datastore: the disk could not grow",
	},
	{
		names: {
			'0xC03A000B': 'ERROR_VHD_INVALID_BLOCK_SIZE',
			'0xC03A0012': 'ERROR_VHD_INVALID_SIZE',
			'0xC03A0025': 'ERROR_VHD_RESIZE_WOULD_TRUNCATE_DATA',
			'0xC03A0026': 'ERROR_VHD_COULD_NOT_COMPUTE_MINIMUM_VIRTUAL_SIZE',
			'0xC03A0027': 'ERROR_VHD_ALREADY_AT_OR_BELOW_MINIMUM_VIRTUAL_SIZE',
		},
		code: 'machine_failed',
		hint: 'this Windows takes no disk of such a size: a VHDX has at most 64 TiB',
	},
	{
		names: { '0xC03A000D': 'ERROR_VHD_PARENT_VHD_NOT_FOUND' },
		code: 'hypervisor_failed',
		hint: "what the overlay stands on is not there: before the switch the volume is not connected (Get-IscsiSession on that host), after it somebody moved the machine's disk",
	},
	{
		names: {
			'0xC03A000E': 'ERROR_VHD_CHILD_PARENT_ID_MISMATCH',
			'0xC03A000F': 'ERROR_VHD_CHILD_PARENT_TIMESTAMP_MISMATCH',
			'0xC03A0017': 'ERROR_VHD_CHILD_PARENT_SIZE_MISMATCH',
		},
		code: 'identity_conflict',
		hint: 'what the overlay stands on is another disk than it was made on, or was written to: do not start the machine on it, Get-VHD shows both',
	},
	{
		names: { '0xC03A0016': 'ERROR_VHD_PARENT_VHD_ACCESS_DENIED' },
		code: 'machine_failed',
		hint: 'the machine may not open what its overlay stands on: icacls FILE /grant "NT VIRTUAL MACHINE\\ID:F", with the id that Get-VM shows',
	},
	{
		names: {
			'0xC03A0018': 'ERROR_VHD_DIFFERENCING_CHAIN_CYCLE_DETECTED',
			'0xC03A0019': 'ERROR_VHD_DIFFERENCING_CHAIN_ERROR_IN_PARENT',
		},
		code: 'machine_failed',
		hint: 'what the overlay stands on cannot be opened: look at each of its files with Get-VHD and Test-VHD',
	},
	{
		names: { '0xC03A001A': 'ERROR_VIRTUAL_DISK_LIMITATION' },
		code: 'machine_failed',
		hint: 'virtual disks may not be sparse, compressed or encrypted, nor have integrity streams: compact /u FILE, cipher /d FILE, or on ReFS Set-FileIntegrity -Enable $false; then set the datastore likewise',
	},
	{
		names: { '0xC03A001D': 'ERROR_VIRTDISK_UNSUPPORTED_DISK_SECTOR_SIZE' },
		code: 'machine_failed',
		hint: 'this Windows takes no disk of such sectors there: machines of generation 1 do not boot from sectors of 4096 bytes',
	},
	{
		names: {
			'0xC03A001E': 'ERROR_VIRTDISK_DISK_ALREADY_OWNED',
			'0xC03A001F': 'ERROR_VIRTDISK_DISK_ONLINE_AND_WRITABLE',
		},
		code: 'hypervisor_failed',
		hint: 'somebody else uses this disk: look at Get-Disk and Get-VHD on that host, and let it go (Dismount-VHD)',
	},
	{
		names: {
			'0xC03A0020': 'ERROR_CTLOG_TRACKING_NOT_INITIALIZED',
			'0xC03A0021': 'ERROR_CTLOG_LOGFILE_SIZE_EXCEEDED_MAXSIZE',
			'0xC03A0022': 'ERROR_CTLOG_VHD_CHANGED_OFFLINE',
			'0xC03A0023': 'ERROR_CTLOG_INVALID_TRACKING_STATE',
			'0xC03A0024': 'ERROR_CTLOG_INCONSISTANT_TRACKING_FILE',
		},
		code: 'machine_failed',
		hint: 'a backup product tracks the changes of this disk (files *.rct and *.mrt beside it): take the machine out of its jobs while it is recovered, and back it up in full afterwards',
	},
	{
		names: { '0x803A0001': 'ERROR_QUERY_STORAGE_ERROR' },
		code: 'hypervisor_failed',
		hint: 'look at what the host logged: Get-WinEvent -LogName Microsoft-Windows-Hyper-V-VMMS-Admin -MaxEvents 20',
	},
];
