import { chmod, chown, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { removeFileDurably, replaceFileDurably, syncDirectory } from '../../system/durable-file.ts';
import { readIfThere } from '../../system/if-there.ts';
import { runTool } from '../../system/run-tool.ts';
import type { Program } from '../../system/spawn-locked.ts';
import { installPostgres, isCluster, programsFor } from './programs.ts';
import { openRoom, type PostgresPlaces, type PostgresRoom } from './room.ts';
import {
	databaseEnvironment,
	firstStatements,
	hbaFile,
	identFile,
	initdbProgram,
	postgresProgram,
	socketPidfile,
} from './settings.ts';

/**
 * PostgreSQL on the cluster of an installation, which is made when there is none. To be called by the keeper alone, before each
 * start: what it does must not be done twice at once.
 */
export async function startableCluster(places: PostgresPlaces): Promise<Program> {
	const room = await openRoom();
	const programs = await programsFor(places.data);
	await ownDirectory(places.sockets, room);
	if (!(await isCluster(places.data))) await makeCluster(places, room);
	await replaceFileDurably(join(places.data, 'pg_hba.conf'), hbaFile, 0o600, room.owner);
	await replaceFileDurably(join(places.data, 'pg_ident.conf'), identFile(userInfo().username), 0o600, room.owner);
	await removeStalePids(places);
	return room.enter(places, inside => postgresProgram(programs, inside));
}

/** Throws `precheck_failed`, with what is in the way, where PostgreSQL could not be started as its own user. */
export async function checkRoom(places: PostgresPlaces): Promise<void> {
	const room = await openRoom();
	const { postgres } = await programsFor(places.data);
	const within = dirname(places.data); // there before the cluster is
	await mkdir(within, { recursive: true, mode: 0o700 });
	const { command, args } = room.enter({ data: within, sockets: within }, () => ({
		command: postgres,
		args: ['--version'],
	}));
	const env = databaseEnvironment(process.env);
	const hint = 'apt-get install util-linux mount';
	const { code, tail } = await runTool(command, args, { hint, silenceMs: 30_000, env });
	if (code === 0) return;
	throw new RouseError('precheck_failed', `PostgreSQL cannot be run as its own user here: ${tail.join(' ')}`, {
		hint: 'a container needs the capability SYS_ADMIN for it; or run Rouse as a user who is not root, or leave temporal.database out of config.yaml',
	});
}

/** Made beside its place and renamed when all of it is there and durable: half a cluster never lies there. */
async function makeCluster(places: PostgresPlaces, room: PostgresRoom): Promise<void> {
	const parent = dirname(places.data);
	const prefix = `${basename(places.data)}.making-`;
	await mkdir(parent, { recursive: true, mode: 0o700 });
	const beside = await readdir(parent);
	// Also an empty directory, or a link that leads nowhere: the histories may be on what is to be mounted there.
	if (beside.includes(basename(places.data)))
		throw new RouseError('precheck_failed', `${places.data} is there, and no database is in it`, {
			hint: 'mount what is missing; where there is nothing to be missed: remove it',
		});
	for (const name of beside) // what somebody died over
		if (name.startsWith(prefix)) await rm(join(parent, name), { recursive: true, force: true });
	const data = await mkdtemp(join(parent, prefix));
	try {
		await ownDirectory(data, room);
		const programs = await programsFor(data);
		for (const step of [initdbProgram, firstStatements])
			await mustSucceed(room.enter({ data, sockets: places.sockets }, inside => step(programs, inside)));
		await rename(data, places.data);
		await syncDirectory(parent);
	} catch (error) {
		await rm(data, { recursive: true, force: true });
		throw error;
	}
}

async function mustSucceed({ command, args }: Program): Promise<void> {
	const env = databaseEnvironment(process.env);
	const { code, tail } = await runTool(command, args, { hint: installPostgres, silenceMs: 120_000, env });
	if (code !== 0) throw new RouseError('tool_failed', `the database could not be made:\n${tail.join('\n')}`);
}

async function ownDirectory(path: string, { owner }: PostgresRoom): Promise<void> {
	await mkdir(path, { recursive: true, mode: 0o700 });
	await chmod(path, 0o700);
	if (owner) await chown(path, owner.uid, owner.gid);
}

/**
 * PostgreSQL does not start while the process that a pidfile names is there – of the cluster, or of the socket, which both
 * outlive a kill – and after a boot that may be any of its user's. The lock under which it is started says better whether one
 * of ours is at work: its children hold it, too, until the last has ended. Of somebody else's the working directory tells.
 */
async function removeStalePids({ data, sockets }: PostgresPlaces): Promise<void> {
	const ours = await stat(data, { bigint: true });
	for (const path of [join(data, 'postmaster.pid'), join(sockets, socketPidfile)]) {
		const pid = (await readIfThere(path))?.split('\n')[0]?.replace('-', ''); // of one without a server it is negative
		if (pid === undefined) continue;
		const there = await stat(`/proc/${pid}/cwd`, { bigint: true }).catch(() => undefined);
		if (there?.dev !== ours.dev || there.ino !== ours.ino) await removeFileDurably(path);
	}
}
