import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';
import { runTool } from '../../system/run-tool.ts';
import { runBuildTool } from '../run-build-tool.ts';
import { type Seed, seedFile, seedLabel, seedSchema } from './seed.ts';

/** What is larger is no seed but a guest's disk, whose file system the kernel is to know nothing of. */
const largestBytes = 16 * 1024 * 1024;
/** `size` counts these: Documentation/ABI/stable/sysfs-block. */
const sysfsSectorBytes = 512;

/** The text on the seed disk; undefined where there is none. Throws `config_invalid` for one without it. */
export async function readSeedDisk(): Promise<string | undefined> {
	const device = await realpath(join('/dev/disk/by-label', seedLabel)).catch((error: unknown) => {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	});
	if (device === undefined) return undefined;
	const sectors = Number(await readFile(join('/sys/class/block', basename(device), 'size'), 'latin1'));
	if (sectors * sysfsSectorBytes > largestBytes)
		throw new RouseError('config_invalid', `${device} calls itself ${seedLabel}, and is larger than a seed disk`);
	const place = await mkdtemp('/run/rouse-seed-');
	try {
		await mustRun('mount', ['-t', 'vfat,iso9660', '-o', 'ro,nosuid,nodev,noexec', device, place]);
		try {
			return await readFile(join(place, seedFile), 'utf8');
		} catch (cause) {
			if (!isErrno(cause, 'ENOENT')) throw cause;
			throw new RouseError('config_invalid', `the seed disk has no ${seedFile}`, { cause });
		} finally {
			await mustRun('umount', [place]);
		}
	} finally {
		await rm(place, { recursive: true, force: true });
	}
}

async function mustRun(program: string, args: readonly string[]): Promise<void> {
	const { code, tail } = await runTool(program, args, { hint: 'apt-get install mount', wholeMs: 20_000 });
	if (code !== 0) throw new RouseError('tool_failed', `${program} ended with ${code}: ${tail.join(' ')}`);
}

/** A raw disk with a seed on it, in a new file. It has private keys: whoever is done with it removes it. */
export async function makeSeedDisk(path: string, seed: Seed): Promise<void> {
	const work = await mkdtemp(join(tmpdir(), 'rouse-seed-'));
	try {
		await mkdir(join(work, 'files'));
		const text = join(work, 'files', seedFile);
		await writeFile(text, JSON.stringify(seedSchema.parse(seed)), { mode: 0o600 });
		await writeFile(path, Buffer.alloc(2 * 1024 * 1024), { mode: 0o600, flag: 'wx' });
		await runBuildTool('mkfs.vfat', ['-n', seedLabel, path]);
		await runBuildTool('mcopy', ['-i', path, text, `::${seedFile}`]);
	} finally {
		await rm(work, { recursive: true, force: true });
	}
}
