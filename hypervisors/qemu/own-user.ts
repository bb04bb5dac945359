/** A user of its own for each machine, where Rouse is root: what has taken a QEMU over is nobody else on the host. */
import { randomInt } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';
import { usersByProcess } from '../../system/processes-of-user.ts';
import type { UserRange } from '../../system/user-range.ts';
import type { MachineDefinition } from '../contract.ts';
import { ReservedUser } from './own-processes.ts';
import type { MachinePaths } from './paths.ts';

/** Chooses users, and knows them again: a machine's user owns its targets, and is kept nowhere else. */
export class MachineUsers {
	readonly #range: () => Promise<UserRange>;
	/** Chosen by this process; before the files are theirs nobody else can see it. */
	readonly #chosen = new Set<number>();
	/** Why a program cannot be started as another user here; undefined when it can. */
	readonly missing: () => Promise<string | undefined>;

	constructor(range: () => Promise<UserRange>, missing: () => Promise<string | undefined>) {
		this.#range = range;
		this.missing = missing;
	}

	/** Undefined: it runs as the user that Rouse is. */
	async of({ disks }: MachineDefinition, paths: MachinePaths): Promise<number | undefined> {
		const [first] = disks;
		if (first === undefined || (await this.missing()) !== undefined) return undefined;
		const owner = await ownerOf(paths.target(first));
		return owner === 0 ? undefined : owner;
	}

	/** The machine's user, when it has one that is reserved and no other machine's: whose processes may be ended. */
	async reservedFor({ disks }: MachineDefinition, paths: MachinePaths): Promise<ReservedUser | undefined> {
		const [first] = disks;
		if (first === undefined) return undefined;
		const target = paths.target(first);
		const uid = await ownerOf(target);
		// Before the range is asked for: a configuration that cannot be read keeps no machine without a user from ending.
		if (uid === undefined || uid === 0 || process.getuid?.() !== 0) return undefined;
		const user = ReservedUser.within(await this.#range(), uid);
		return user !== undefined && !(await usersOf(target)).has(uid) ? user : undefined;
	}

	/** The targets become those of the machine's user, who is chosen when it has none. */
	async own(definition: MachineDefinition, paths: MachinePaths): Promise<void> {
		if ((await this.missing()) !== undefined) return;
		const targets = definition.disks.map(disk => paths.target(disk));
		const uid = (await this.of(definition, paths)) ?? (await this.choose(await usersOf(targets[0] ?? '')));
		if (uid === undefined) return;
		for (const target of targets)
			await giveDurably(target, uid).catch((cause: unknown) => {
				const why = cause instanceof Error ? cause.message : String(cause);
				throw new RouseError('io_failed', `${target} cannot be given to user ${uid}: ${why}`, {
					hint: 'where the file system has no owners, host: {machineUids: none} in config.yaml runs machines as root',
					cause,
				});
			});
	}

	/** One that nobody has; undefined when there is to be none. At random, since other installations choose as well. */
	async choose(taken: ReadonlySet<number> = new Set()): Promise<number | undefined> {
		const range = await this.#range();
		if (range === 'none' || (await this.missing()) !== undefined) return undefined;
		const running = new Set([...(await usersByProcess()).values()].flatMap(users => [...users]));
		const from = randomInt(range.count);
		for (let step = 0; step < range.count; step++) {
			const uid = range.first + ((from + step) % range.count);
			if (taken.has(uid) || running.has(uid) || this.#chosen.has(uid)) continue;
			this.#chosen.add(uid);
			return uid;
		}
		throw new RouseError('precheck_failed', `all ${range.count} users for machines are taken`, {
			hint: 'raise count of host: {machineUids: {first, count}} in config.yaml',
		});
	}

	/** One for as long as `work` takes. */
	async lend<T>(work: (uid: number | undefined) => Promise<T>): Promise<T> {
		const uid = await this.choose();
		try {
			return await work(uid);
		} finally {
			if (uid !== undefined) this.#chosen.delete(uid);
		}
	}
}

/** Whose the file is, is kept nowhere else: it must be as durable as that the disk was made. */
async function giveDurably(path: string, uid: number): Promise<void> {
	const file = await open(path, 'r');
	try {
		await file.chown(uid, uid);
		await file.sync();
	} finally {
		await file.close();
	}
}

/** Of the machines beside this one. */
async function usersOf(target: string): Promise<Set<number>> {
	const owners = new Set<number>();
	const directory = dirname(dirname(target));
	for (const name of await readdir(directory)) {
		if (name === basename(dirname(target))) continue;
		const owner = await ownerOf(join(directory, name, basename(target)));
		if (owner !== undefined) owners.add(owner);
	}
	return owners;
}

async function ownerOf(path: string): Promise<number | undefined> {
	try {
		return (await stat(path)).uid;
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
		throw error;
	}
}
