import { RouseError } from '../../model/errors.ts';
import { freeBytesAt } from './scratch.ts';

/** What the guest overwrites between two looks must fit into it. */
const reserveBytes = 256 * 2 ** 20;
/** Of an image beside what is stored in it. */
const tablesBytes = 2 ** 20;

/** Less than this, and a moment is ended: QEMU would rather fail a write of the guest than spoil the moment. */
export function leastFreeBytes(sizes: readonly number[]): number {
	// No more is ever stored there than the disks hold.
	return sizes.reduce((least, size) => Math.min(reserveBytes, least + size + tablesBytes), 0);
}

/** Of a moment that nobody reads now: `moment_lost` where it is to be ended. */
export async function mustKeepRoom(scratch: { freeBytes(): Promise<number> }, sizes: readonly number[]): Promise<void> {
	if ((await scratch.freeBytes()) < leastFreeBytes(sizes)) throw noRoom();
}

export function noRoom(): RouseError {
	return new RouseError('moment_lost', 'where QEMU keeps what the guest overwrites there is hardly any room left', {
		hint: 'name a directory with more room by ?scratch=DIRECTORY, or import when the guest writes less',
	});
}

/** `space_short` where there is not twice what is to be left free. */
export async function mustHaveRoom(directory: string, sizes: readonly number[]): Promise<void> {
	const needBytes = 2 * leastFreeBytes(sizes);
	const freeBytes = await freeBytesAt(directory);
	if (freeBytes >= needBytes) return;
	const text = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
	throw new RouseError(
		'space_short',
		`${directory} has ${text(freeBytes)} free, and at least ${text(needBytes)} are needed`,
		{
			hint: 'what the guest overwrites while it is read is kept there: make room, or name another directory by ?scratch=DIRECTORY',
		},
	);
}
