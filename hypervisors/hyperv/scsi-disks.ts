/** Disks of the machine that we run on, by what they say of themselves: a name as `sdb` is another's after a boot. */
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { isErrno } from '../../system/durable-file.ts';
import { namesIn } from '../../system/names-in.ts';
import { waitFor } from '../../system/wait.ts';
import type { CallOptions } from '../contract.ts';
import { virtualDiskIdOf } from './page-83.ts';

/** Where the kernel shows its devices; a test has roots of its own. */
export interface DeviceRoots {
	sys: string;
	dev: string;
}

export interface WantedDisk {
	virtualDiskId: string;
	sizeBytes: number;
}

/** `size` counts these whatever the disk's own are: Documentation/ABI/stable/sysfs-block. */
const sysfsSectorBytes = 512;

/** Between its being attached and the kernel's knowing it lies a scan of the bus. */
const appearsMs = 30_000;
/** What the kernel still holds for it is written first. */
const leavesMs = 30_000;

/**
 * Waits for the one disk with this id and returns its path. Throws `identity_conflict` when several say they are it, or it has
 * another size; `hypervisor_failed` when none appears.
 */
export async function awaitDisk(roots: DeviceRoots, wanted: WantedDisk, { signal }: CallOptions): Promise<string> {
	try {
		return await waitFor(`disk ${wanted.virtualDiskId}`, () => findDisk(roots, wanted), {
			timeoutMs: appearsMs,
			signal,
		});
	} catch (cause) {
		if (asRouseError(cause).code !== 'timeout') throw cause;
		throw new RouseError(
			'hypervisor_failed',
			`disk ${wanted.virtualDiskId} was attached, and no block device says in page 83 that it is it within ${appearsMs / 1000} s`,
			{ cause, hint: 'look with lsblk and in the kernel log of this machine whether it sees its SCSI disks' },
		);
	}
}

/** What was written to it is on it. MAY find none. */
export async function syncDisk(roots: DeviceRoots, virtualDiskId: string): Promise<void> {
	for (const name of await disksWith(roots, virtualDiskId)) {
		const file = await open(join(roots.dev, name), 'r+');
		try {
			await file.datasync();
		} finally {
			await file.close();
		}
	}
}

/**
 * The kernel lets it go, also when somebody has it open: that one meets errors from then on. Resolves when it knows it no
 * more; `hypervisor_stuck` when it goes on to. MAY find none.
 */
export async function letGo({ sys }: Pick<DeviceRoots, 'sys'>, virtualDiskId: string): Promise<void> {
	for (const name of await disksWith({ sys }, virtualDiskId))
		await writeFile(join(sys, 'block', name, 'device', 'delete'), '1\n');
	try {
		const gone = async () => (await disksWith({ sys }, virtualDiskId)).length === 0;
		await waitFor(`disk ${virtualDiskId} to be gone`, gone, { timeoutMs: leavesMs });
	} catch (cause) {
		if (asRouseError(cause).code !== 'timeout') throw cause;
		throw new RouseError('hypervisor_stuck', `the kernel does not let disk ${virtualDiskId} go`, {
			cause,
			hint: 'look in its log; boot the appliance again when the disk hangs',
		});
	}
}

/** Undefined when it is not there; throws as {@link awaitDisk}. */
export async function findDisk(
	roots: DeviceRoots,
	{ virtualDiskId, sizeBytes }: WantedDisk,
): Promise<string | undefined> {
	const names = await disksWith(roots, virtualDiskId);
	const [name] = names;
	if (name === undefined) return undefined;
	if (names.length > 1)
		throw new RouseError('identity_conflict', `${names.join(' and ')} both say that they are disk ${virtualDiskId}`);
	const found = Number(await readFile(join(roots.sys, 'block', name, 'size'), 'latin1')) * sysfsSectorBytes;
	if (found === 0) return undefined; // its capacity is not read yet
	if (found === sizeBytes) return join(roots.dev, name);
	throw new RouseError(
		'identity_conflict',
		`${name} is disk ${virtualDiskId} and has ${exactBytes(found)}, not ${exactBytes(sizeBytes)}`,
	);
}

async function disksWith({ sys }: Pick<DeviceRoots, 'sys'>, virtualDiskId: string): Promise<string[]> {
	const names = await namesIn(join(sys, 'block'));
	const ids = await Promise.all(names.map(name => idOf(join(sys, 'block', name, 'device', 'vpd_pg83'))));
	return names.filter((_name, at) => ids[at] === virtualDiskId).toSorted();
}

/** Of a disk that has none, or goes at this moment: none. */
async function idOf(path: string): Promise<string | undefined> {
	try {
		return virtualDiskIdOf(await readFile(path));
	} catch (error) {
		for (const code of ['ENOENT', 'ENOTDIR', 'ENODEV', 'ENXIO', 'EINVAL', 'EIO'])
			if (isErrno(error, code)) return undefined;
		throw error;
	}
}
