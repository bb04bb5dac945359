import { RouseError } from '../../model/errors.ts';
import type { DescribedDisk, Since, SourcePlan } from '../machine/documents.ts';
import type { QemuAddress } from './address.ts';
import { markedBytes, recordedSince } from './bitmaps.ts';
import type { Attached } from './look.ts';
import type { LookedDisk } from './machine.ts';
import { freeBytesAt, mustBeRootsOwn } from './scratch.ts';

export function planOf(disks: readonly LookedDisk[], key: string, since: Since | null): SourcePlan['disks'][number] {
	const found = disks.find(({ described }) => described.key === key);
	if (found === undefined) return { key, reads: 'all', why: 'it is not attached any more' };
	const recorded = recordedSince(found.attached, since);
	if ('why' in recorded) return { key, reads: 'all', why: recorded.why };
	const expectedBytes = markedBytes(found.attached, recorded.name);
	return { key, reads: 'changes', why: null, ...(expectedBytes === undefined ? {} : { expectedBytes }) };
}

/** What a person would rather know before. */
export async function warningsOf(address: QemuAddress, disks: readonly LookedDisk[]): Promise<string[]> {
	const warnings = disks.flatMap(({ attached: { keepsBitmaps, isCopied }, described: { key } }) =>
		keepsBitmaps || isCopied ? [] : `${key} is no qcow2 image: when QEMU has ended, the next import reads all of it`,
	);
	const room = await roomWarning(await directoryFor(address, disks), disks);
	return [...warnings, ...room].map(warning => warning.slice(0, 300)).slice(0, 31);
}

/** When there may not be enough for what the guest overwrites. */
export async function roomWarning(
	directory: string,
	disks: readonly { described: Pick<DescribedDisk, 'sizeBytes'> }[],
): Promise<string[]> {
	const totalBytes = disks.reduce((sum, { described }) => sum + described.sizeBytes, 0);
	const freeBytes = await freeBytesAt(directory);
	const mib = (bytes: number) => `${Math.floor(bytes / 2 ** 20)} MiB`;
	if (freeBytes >= totalBytes / 10) return [];
	return [
		`${directory} has ${mib(freeBytes)} for what the guest overwrites while ${mib(totalBytes)} are read: when it is full, the import fails`,
	];
}

/** Where an address says that scratch is to be. */
type Where = Pick<QemuAddress, 'scratch'>;

/** Where a moment's scratch may be: as an address says, else beside any of the images. */
export function directoriesOf({ scratch }: Where, disks: readonly { directory: string | undefined }[]): string[] {
	if (scratch !== undefined) return [scratch];
	return [...new Set(disks.flatMap(({ directory }) => directory ?? []))];
}

/** Where it is put. */
export async function directoryFor(
	address: Where,
	disks: readonly { attached: Pick<Attached, 'directory'> }[],
): Promise<string> {
	const [directory] = directoriesOf(
		address,
		disks.map(({ attached }) => attached),
	);
	if (directory !== undefined) {
		await mustBeRootsOwn(directory);
		return directory;
	}
	throw new RouseError('config_invalid', 'none of the disks is a file with an absolute path', {
		hint: 'name a directory of its host, with room for what the guest overwrites, by ?scratch=DIRECTORY',
	});
}
