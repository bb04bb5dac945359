/** What lies on this host: read from its files, whether a supervisor runs or not. */
import { readFile, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import * as z from 'zod';
import { asRouseError } from '../../model/errors.ts';
import { nameSchema } from '../../model/names.ts';
import { isErrno, temporarySuffix } from '../../system/durable-file.ts';
import { checkRunDirectory, type Installation, places } from '../../system/installation.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { heldRecoveryLocks } from '../../system/recovery-locks.ts';
import { tapsOnHost } from '../../system/taps.ts';
import type {
	DirectoryContent,
	DirectoryFacts,
	Facts,
	HeldFacts,
	RunDirectoryFacts,
	TapFacts,
	TemporaryFacts,
} from './facts.ts';
import { namesIn } from '../../system/names-in.ts';

/** Read for what is known of them: the supervisor says itself which it does not understand. */
const stateSchema = z.object({
	version: z.literal(1),
	recoveryId: z.uuid(),
	name: nameSchema,
	powerOnScheduled: z.boolean(),
	plan: z.object({ repository: z.string() }).nullable(),
	elsewhere: z.boolean().default(false),
});
const machineSchema = z.object({
	version: z.literal(1),
	recoveryId: z.uuid(),
	name: nameSchema,
	state: z.enum(['recovering', 'finished']),
});
const tombstoneSchema = z.object({
	recoveryId: z.uuid(),
	name: nameSchema,
	state: z.enum(['finished', 'discarded']),
	left: z.boolean().default(false),
});
const owedUnpinSchema = z.object({ repository: z.string() });

type HostFacts = Pick<
	Facts,
	'recoveries' | 'tombstones' | 'held' | 'runDirectories' | 'runDirectoryRefused' | 'temporaries' | 'taps' | 'space'
>;

export async function gatherHost({ home, runDirectory }: Installation): Promise<HostFacts> {
	const recoveries = await gatherRecoveries(home);
	const runDirectoryRefused = await refusalOf(runDirectory);
	return {
		recoveries,
		tombstones: await gatherTombstones(home),
		held: await gatherHeld(home),
		runDirectories: runDirectoryRefused ? [] : await gatherRunDirectories(home, runDirectory),
		runDirectoryRefused,
		temporaries: await gatherTemporaries(home, recoveries),
		taps: await gatherTaps(),
		space: { freeBytes: await freeBytes(home), ballast: (await ageOf(places.ballast(home))) !== undefined },
	};
}

export async function gatherRecoveries(home: string): Promise<DirectoryFacts[]> {
	const directory = places.recoveries(home);
	const found: DirectoryFacts[] = [];
	for (const name of await namesIn(directory)) {
		const path = join(directory, name);
		const content = await contentOf(path);
		const ageMs = await ageOf(path);
		if (ageMs !== undefined) found.push({ name, path, ageMs, files: await namesIn(path), content });
	}
	return found;
}

export async function gatherTombstones(home: string): Promise<Facts['tombstones']> {
	const found = new Map<string, { name: string; state: 'finished' | 'discarded' }>();
	for (const file of await namesIn(places.tombstones(home))) {
		if (!file.endsWith('.json')) continue;
		const { content } = await readAs(join(places.tombstones(home), file), tombstoneSchema);
		// One that has left goes on on another host, by the same pin.
		if (content && !content.left) found.set(content.recoveryId, content);
	}
	return found;
}

/** The repositories whose pins this host has still to take away. */
export async function gatherOwing(home: string): Promise<string[]> {
	const found: string[] = [];
	for (const file of await namesIn(places.owedUnpins(home))) {
		if (!file.endsWith('.json')) continue;
		const { content } = await readAs(join(places.owedUnpins(home), file), owedUnpinSchema);
		if (content) found.push(content.repository);
	}
	return found;
}

async function contentOf(path: string): Promise<DirectoryContent> {
	const state = await readAs(join(path, 'state.json'), stateSchema);
	if (state.reason !== undefined) return { kind: 'unreadable', reason: state.reason };
	if (state.content) {
		const { recoveryId, name, powerOnScheduled, plan, elsewhere } = state.content;
		const repository = elsewhere ? null : (plan?.repository ?? null);
		return { kind: 'recovery', recoveryId, name, powerOnScheduled, repository };
	}
	const machine = await readAs(join(path, 'machine.json'), machineSchema);
	if (machine.reason !== undefined) return { kind: 'unreadable', reason: machine.reason };
	if (machine.content?.state !== 'finished') return { kind: 'nobody', recoveryId: machine.content?.recoveryId };
	return { kind: 'machine', recoveryId: machine.content.recoveryId, name: machine.content.name };
}

/** Neither of the two when there is no such file. */
async function readAs<S extends z.ZodType>(
	path: string,
	schema: S,
): Promise<{ content?: z.output<S>; reason?: string }> {
	let text: string;
	try {
		text = await readFile(path, 'utf8');
	} catch (error) {
		return isErrno(error, 'ENOENT') ? {} : { reason: asRouseError(error).message };
	}
	try {
		return { content: schema.parse(JSON.parse(text)) };
	} catch {
		return { reason: `${basename(path)} is not what this version of Rouse writes` };
	}
}

async function gatherHeld(home: string): Promise<HeldFacts[]> {
	const held = await heldRecoveryLocks(places.recoveries(home));
	return held.map(lock => ({ ...lock, recovery: basename(dirname(lock.path)) }));
}

async function refusalOf(path: string): Promise<HostFacts['runDirectoryRefused']> {
	try {
		await checkRunDirectory(path);
		return undefined;
	} catch (thrown) {
		if (isErrno(thrown, 'ENOENT')) return undefined;
		const { message, hint } = asRouseError(thrown);
		return { path, reason: message, mend: hint ?? '' };
	}
}

async function gatherRunDirectories(home: string, runDirectory: string): Promise<RunDirectoryFacts[]> {
	const bound = await boundSockets();
	const found: RunDirectoryFacts[] = [];
	for (const name of await namesIn(runDirectory)) {
		const path = join(runDirectory, name);
		// Kept as long as the installation; its socket is bound by another name (keeper/postgres/room.ts).
		if (path === places.postgresSockets(runDirectory)) continue;
		const ageMs = await ageOf(`${path}/.`); // of a directory: a socket beside them has none
		if (ageMs === undefined) continue;
		const listening = bound.some(socket => socket.startsWith(`${path}/`));
		found.push({ name, path, ageMs, listening, configured: await hasRepositoryMover(home, name) });
	}
	return found;
}

/** Its configuration leads the supervisor there; its lock says that it runs. */
async function hasRepositoryMover(home: string, name: string): Promise<boolean> {
	const base = join(places.repositoryMovers(home), name.replace(/^repo-/, ''));
	return (await ageOf(`${base}.json`)) !== undefined || (await lockHolder(`${base}.lock`)) !== undefined;
}

/** Paths of Unix sockets that somebody has bound and not closed. Format: proc_net_unix in proc(5), the path last. */
async function boundSockets(): Promise<string[]> {
	const lines = (await readFile('/proc/net/unix', 'utf8')).split('\n');
	return lines.flatMap(line => /\s(\/.*)$/.exec(line)?.[1] ?? []);
}

/** Only where Rouse writes its own files: a repository may lie in the home, with imports that take hours. */
async function gatherTemporaries(home: string, recoveries: readonly DirectoryFacts[]): Promise<TemporaryFacts[]> {
	const own = [
		home,
		places.services(home),
		places.temporal(home),
		join(home, 'host'),
		places.tombstones(home),
		places.owedUnpins(home),
		places.repositoryMovers(home),
	];
	const found: TemporaryFacts[] = [];
	const look = async (directory: string, recovery: string | undefined) => {
		for (const name of await namesIn(directory)) {
			const path = join(directory, name);
			const ageMs = name.endsWith(temporarySuffix) ? await ageOf(path) : undefined;
			if (ageMs !== undefined) found.push({ path, ageMs, recovery });
		}
	};
	for (const directory of own) await look(directory, undefined);
	for (const { path, name, content } of recoveries) if (content.kind !== 'nobody') await look(path, name);
	return found;
}

async function gatherTaps(): Promise<TapFacts[]> {
	const taps = await tapsOnHost();
	return Promise.all(
		taps.map(async ({ name, used, directory }) => {
			const hasMachine = directory !== undefined && (await ageOf(directory)) !== undefined;
			return { name, used, directory, hasMachine };
		}),
	);
}

async function freeBytes(path: string): Promise<number> {
	const { bavail, bsize } = await statfs(path);
	return bavail * bsize;
}

/** Since it was changed last; undefined when it is not there. */
async function ageOf(path: string): Promise<number | undefined> {
	try {
		return Date.now() - (await stat(path)).mtimeMs;
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
		throw error;
	}
}
