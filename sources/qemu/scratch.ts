/**
 * A directory for one import on QEMU's host. It says whose it is from the moment on at which it has its name. What QEMU makes and writes lies in a
 * directory of QEMU's own in it, so that a QEMU which its guest has taken over can put nothing in the place of what we read and write.
 */
import { chmod, lchown, mkdir, readdir, rename, rm, statfs, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { consistencySchema, diskKeySchema } from '../../model/source-facts.ts';
import { isErrno } from '../../system/durable-file.ts';
import { checkOwnDirectory } from '../../system/own-directory.ts';
import { exists, readIfThere } from '../../system/if-there.ts';
import { jsonOf } from '../../system/json-of.ts';
import { runTool } from '../../system/run-tool.ts';
import { fitsSocket } from '../../system/socket-path.ts';
import { ownerSchema } from '../machine/documents.ts';
import { objectName, type Owned } from './names.ts';

const markSchema = z.strictObject({ tag: z.uuid(), owner: ownerSchema });

/** The last file of a moment: all else was there before. */
const takenSchema = z.strictObject({
	set: z.uuid(),
	takenAt: z.iso.datetime(),
	consistency: consistencySchema,
	disks: z.array(
		z.strictObject({
			key: diskKeySchema,
			sizeBytes: z.int().min(1),
			/** Whether it is known what was written since the checkpoint of the order. */
			changes: z.boolean(),
		}),
	),
});
export type Taken = z.infer<typeof takenSchema>;

const files = { mark: 'owner.json', taken: 'taken.json', still: 'still' } as const;

export class Scratch {
	readonly path: string;

	private constructor(path: string) {
		this.path = path;
	}

	/** Where that of an import is, whether it is there or not. */
	static of(directory: string, claim: Owned): Scratch {
		return new Scratch(join(directory, objectName(claim)));
	}

	/** Those of all imports in a directory, with what they say of themselves. */
	static async in(directory: string): Promise<Owned[]> {
		const marks: Owned[] = [];
		for (const name of await namesOf(directory)) {
			if (!/^rouse-[0-9a-f]{16}$/.test(name)) continue;
			const mark = markSchema.safeParse(await readJson(join(directory, name, files.mark)));
			if (mark.success && objectName(mark.data) === name) marks.push(mark.data);
		}
		return marks;
	}

	/** By which QEMU hands out the disks. */
	get socket(): string {
		return join(this.path, 'q', 'nbd');
	}

	file(number: number): string {
		return join(this.path, 'q', String(number));
	}

	/** With an empty image for each disk, of the user as whom QEMU runs. */
	async make(claim: Owned, { sizes, user: { uid, gid }, signal }: NewScratch): Promise<void> {
		if (!fitsSocket(this.socket))
			throw new RouseError('config_invalid', `the path of a socket in ${dirname(this.path)} would be too long`, {
				hint: 'choose a directory with a shorter path by ?scratch=DIRECTORY',
			});
		const made = new Scratch(`${this.path}.new`);
		await made.remove();
		await mkdir(made.path);
		await chmod(made.path, 0o711); // whatever our umask is: QEMU's user passes through
		await mkdir(join(made.path, 'q'), 0o700);
		const { tag, owner } = claim;
		await writeJson(join(made.path, files.mark), { tag, owner });
		for (const [number, sizeBytes] of sizes.entries()) await makeImage(made.file(number), sizeBytes, signal);
		if (process.geteuid?.() === 0)
			for (const path of [...sizes.keys()].map(number => made.file(number)).concat(join(made.path, 'q')))
				await lchown(path, uid, gid);
		await rename(made.path, this.path);
	}

	/** Undefined for what is not there, or not complete. */
	async taken(): Promise<Taken | undefined> {
		const parsed = takenSchema.safeParse(await readJson(join(this.path, files.taken)));
		return parsed.success ? parsed.data : undefined;
	}

	async noteTaken(taken: Taken): Promise<void> {
		await writeJson(join(this.path, files.taken), taken);
	}

	/** Noted before the guest's file systems are told to be still: who dies then leaves them so. */
	async noteStill(): Promise<void> {
		await writeFile(join(this.path, files.still), '');
	}

	async forgetStill(): Promise<void> {
		await rm(join(this.path, files.still), { force: true });
	}

	async mayBeStill(): Promise<boolean> {
		return exists(join(this.path, files.still));
	}

	async exists(): Promise<boolean> {
		return exists(this.path);
	}

	/** Bytes that the guest may still overwrite. Also told when the directory is gone, as it is when another process has ended the moment. */
	async freeBytes(): Promise<number> {
		return freeBytesAt(dirname(this.path));
	}

	async remove(): Promise<void> {
		for (const path of [this.path, `${this.path}.new`]) {
			await removeWritten(join(path, 'q'));
			await rm(path, { recursive: true, force: true });
		}
	}
}

/** Whose entries QEMU's user could exchange while they are removed: so it is taken back before, and no directory in it is entered. */
async function removeWritten(directory: string): Promise<void> {
	try {
		if (process.geteuid?.() === 0) await lchown(directory, 0, 0);
		for (const name of await readdir(directory)) await unlink(join(directory, name));
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw error;
	}
}

/**
 * `config_invalid` where somebody beside root may put something else in the place of what root makes: QEMU says where its images lie, and one
 * that its guest has taken over says what it likes.
 */
export async function mustBeRootsOwn(directory: string): Promise<void> {
	if (process.geteuid?.() !== 0) return; // what is written there is written by who could write it anyway
	const elsewhere = 'name a directory that only root may write to by ?scratch=DIRECTORY';
	await checkOwnDirectory({ path: directory, what: 'directory for what the guest overwrites', elsewhere });
}

/** Those of them in which something of ours may be. */
export async function rootsOwn(directories: readonly string[]): Promise<string[]> {
	const own: string[] = [];
	for (const directory of directories)
		try {
			await mustBeRootsOwn(directory);
			own.push(directory);
		} catch (error) {
			if (asRouseError(error).code !== 'config_invalid') throw error;
		}
	return own;
}

interface NewScratch {
	sizes: readonly number[];
	user: { uid: number; gid: number };
	signal: AbortSignal;
}

export async function freeBytesAt(path: string): Promise<number> {
	const { bavail, bsize } = await statfs(path);
	return bavail * bsize;
}

async function makeImage(path: string, sizeBytes: number, signal: AbortSignal): Promise<void> {
	const args = ['create', '-q', '-f', 'qcow2', path, String(sizeBytes)];
	const { code, tail } = await runTool('qemu-img', args, {
		hint: 'apt-get install qemu-utils',
		wholeMs: 60_000,
		signal,
	});
	if (code !== 0) throw new RouseError('tool_failed', `qemu-img create: ${tail.join(' ')}`);
}

async function namesOf(directory: string): Promise<string[]> {
	try {
		return await readdir(directory);
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return [];
		throw error;
	}
}

/** Undefined for what is not there, or was cut off by a loss of power: nothing of it counts. */
async function readJson(path: string): Promise<unknown> {
	return jsonOf((await readIfThere(path)) ?? '');
}

/** Whole or not at all, however this process ends. After the host has gone down there is no moment to be described. */
async function writeJson(path: string, value: unknown): Promise<void> {
	await writeFile(`${path}.new`, JSON.stringify(value));
	await rename(`${path}.new`, path);
}
