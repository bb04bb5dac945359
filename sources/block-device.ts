import { readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrno } from '../system/durable-file.ts';
import { type DiskFacts, sectorSizes } from './disk-facts.ts';

/**
 * What Linux tells of a block device, by its device number; `sysfs` is where it tells that. A partition has the sectors of
 * its disk, and no serial number: the disk's would be another disk's.
 * https://docs.kernel.org/admin-guide/abi-stable.html (`/sys/block/<disk>/queue`)
 */
export async function blockDeviceFacts(
	deviceNumber: number,
	sysfs = '/sys/dev/block',
): Promise<Pick<DiskFacts, 'serial' | 'sectors'>> {
	const directory = await whereIs(join(sysfs, majorMinor(deviceNumber)));
	if (directory === undefined) return { serial: null };
	const isPartition = (await textOf(join(directory, 'partition'))) !== undefined;
	const disk = isPartition ? dirname(directory) : directory;
	const logicalBytes = await numberOf(join(disk, 'queue', 'logical_block_size'));
	const physicalBytes = await numberOf(join(disk, 'queue', 'physical_block_size'));
	return {
		serial: isPartition ? null : await serialOf(disk),
		...(logicalBytes && physicalBytes ? { sectors: sectorSizes(logicalBytes, physicalBytes) } : {}),
	};
}

/** The size of a block device; undefined where Linux does not tell it. */
export async function blockDeviceBytes(deviceNumber: number, sysfs = '/sys/dev/block'): Promise<number | undefined> {
	// In sectors of 512 bytes, whatever the device's are: https://docs.kernel.org/admin-guide/abi-stable.html
	const sectors = await numberOf(join(sysfs, majorMinor(deviceNumber), 'size'));
	return sectors === undefined ? undefined : sectors * 512;
}

/** virtio tells it beside the device, NVMe and MMC below `device`, SCSI and ATA only as the page they were asked for. */
async function serialOf(disk: string): Promise<string | null> {
	for (const place of ['serial', 'device/serial']) {
		const serial = plain(await textOf(join(disk, place)));
		if (serial !== null) return serial;
	}
	// Vital product data page 0x80 (SPC-4, section 7.8.16): four bytes before the serial number.
	return plain((await textOf(join(disk, 'device/vpd_pg80')))?.slice(4));
}

/** A serial number that is none, or that could not be shown or given to another disk as it is, counts as not known. */
function plain(text: string | undefined): string | null {
	const serial = text?.replaceAll('\0', ' ').trim() ?? '';
	return /^[\x20-\x7e]{1,40}$/.test(serial) ? serial : null;
}

/** As glibc's gnu_dev_major and gnu_dev_minor take it apart, for the 32 bits that the kernel uses. */
function majorMinor(deviceNumber: number): string {
	return `${(deviceNumber >>> 8) & 0xfff}:${(deviceNumber & 0xff) | ((deviceNumber >>> 12) & 0xfff00)}`;
}

async function whereIs(path: string): Promise<string | undefined> {
	try {
		return await realpath(path);
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
}

async function numberOf(path: string): Promise<number | undefined> {
	const value = Number((await textOf(path)) ?? Number.NaN);
	return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

/** Undefined when the device does not tell: it has no such attribute, or answers the question with an error. */
async function textOf(path: string): Promise<string | undefined> {
	try {
		return await readFile(path, 'latin1');
	} catch {
		return undefined;
	}
}
