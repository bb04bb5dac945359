/** The numbers of [MS-VHDX], the Virtual Hard Disk v2 file format, with its section numbers. */

/** All regions and blocks lie at multiples of it: 2.2.3.2, 2.5.1. */
export const mebibyte = 2 ** 20;

/** 2.2: where the parts of the first MiB are. Both copies of headers and region tables count. */
export const headersAtBytes = [64 * 1024, 128 * 1024] as const;
export const regionTablesAtBytes = [192 * 1024, 256 * 1024] as const;

/** 2.2.1 */
export const fileSignature = 'vhdxfile';
/** 2.2.2: what the checksum covers; the rest of its 64 KiB is reserved. */
export const headerBytes = 4096;
export const headerSignature = 'head';
export const formatVersion = 1;
export const logVersion = 0;

/** 2.2.3 */
export const regionTableBytes = 64 * 1024;
export const regionSignature = 'regi';
export const mostRegions = 2047;
export const regions = {
	blockTable: '2dc27766-f623-4200-9d64-115e9bfd4a08',
	metadata: '8b7ca206-4790-4b9a-b8fe-575f050f886e',
} as const;

/** 2.6.1 */
export const metadataTableBytes = 64 * 1024;
export const metadataSignature = 'metadata';
export const mostMetadataItems = 2047;
export const mostMetadataItemBytes = 2 ** 20;
export const itemFlags = { isUser: 1, isVirtualDisk: 2, isRequired: 4 } as const;

/** 2.6.2 */
export const items = {
	fileParameters: 'caa16737-fa36-4d43-b3b6-33f0aa44e76b',
	virtualDiskSize: '2fa54224-cd1b-4876-b211-5dbed83bf4b8',
	virtualDiskId: 'beca12ab-b2e6-4523-93ef-c309e000c746',
	logicalSectorSize: '8141bf1d-a96f-4709-ba47-f233a8faab5f',
	physicalSectorSize: 'cda348c7-445d-4471-9cc9-e9885251c556',
	parentLocator: 'a8d35f2d-b30b-454d-abf7-d3d84834ab0c',
} as const;

/** 2.6.2.1 */
export const smallestBlockBytes = mebibyte;
export const largestBlockBytes = 256 * mebibyte;
export const fileParameterFlags = { leaveBlocksAllocated: 1, hasParent: 2 } as const;
/** 2.6.2.2 */
export const largestDiskBytes = 64 * 2 ** 40;
/** 2.6.2.4, 2.6.2.5 */
export const sectorSizes = [512, 4096] as const;
/** 2.6.2.6.3 */
export const vhdxLocatorType = 'b04aefb7-d19e-4a81-b789-25b8e9445913';

/** 2.4.2: a sector bitmap block is 1 MiB, one bit a logical sector, the lowest bit first. */
export const sectorsOfBitmap = 2 ** 23;
export const bitmapBlockBytes = mebibyte;

/** 2.5.1.1: what a block's entry says of it. */
export const blockStates = {
	/** Of a differencing disk: the parent's. Else undefined, and read as zeros. */
	notPresent: 0,
	undefined: 1,
	zero: 2,
	unmapped: 3,
	fullyPresent: 6,
	/** Differencing disks only: the sector bitmap says which sectors are the parent's. */
	partiallyPresent: 7,
} as const;
/** 2.5.1.2 */
export const bitmapStates = { notPresent: 0, present: 6 } as const;
