import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readFile, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { nameSchema } from '../model/names.ts';
import { networkTargetSchema } from '../model/recovery.ts';
import { writtenRateSchema } from '../model/written-values.ts';
import { createFileDurably, isErrno } from './durable-file.ts';
import { hypervHostSchema } from './hyperv-host.ts';
import { credentialSchema, machineSourceSchema, refuseUnnamed } from './machine-sources.ts';
import { defaultUserRange, userRangeSchema } from './user-range.ts';
import { checkOwnDirectory, checkWay, makeOwnDirectory, type OwnDirectory } from './own-directory.ts';
import { ambiguity, repositoryElsewhereSchema, withAbsolutePaths } from './repository-elsewhere.ts';
import { refuseServed, serveSchema } from './serve-schema.ts';

/** Whether a machine that was on is started after a boot of its host; `ask`: when its recovery is known to be open. */
const autostartSchema = z.enum(['always', 'ask', 'never']);
export type Autostart = z.infer<typeof autostartSchema>;

/** Above the first no new copy begins, above the second those that run are slowed. */
const latencyLimitsSchema = z
	.strictObject({
		stopNewMs: z.number().min(1).max(60_000).default(20),
		throttleMs: z.number().min(1).max(60_000).default(30),
	})
	.refine(({ stopNewMs, throttleMs }) => stopNewMs <= throttleMs, 'stopNewMs is above throttleMs');

/** Where the server that `rouse up` keeps has its histories: in a file of its own, or in PostgreSQL, which is kept, too. */
export const temporalDatabases = ['embedded', 'postgres'] as const;
export type TemporalDatabase = (typeof temporalDatabases)[number];

/** Without an address: the server that `rouse up` keeps. */
const temporalSchema = z
	.strictObject({
		/** Of the embedded server: `none` lets everybody on this machine reach it, who can then do all that Rouse can. */
		isolation: z.enum(['namespace', 'none']).optional(),
		/** Of the same; absent: embedded. `rouse up --temporal` writes it. */
		database: z.enum(temporalDatabases).optional(),
		address: z.string().min(1).optional(),
		namespace: z.string().min(1).optional(),
		/** `true`: by the system's authorities, without a certificate of ours. Paths are of PEM files. */
		tls: z
			.union([
				z.literal(true),
				z.strictObject({
					authority: z.string().min(1).optional(),
					certificate: z.string().min(1).optional(),
					key: z.string().min(1).optional(),
					serverName: z.string().min(1).optional(),
				}),
			])
			.optional(),
		apiKeyFile: z.string().min(1).optional(),
		/** 32 bytes in hexadecimal that seal what Temporal keeps; every client and worker needs it then. */
		payloadKeyFile: z.string().min(1).optional(),
		/** Talks in clear text to a server elsewhere. */
		insecure: z.literal(true).optional(),
	})
	.superRefine(({ isolation, database, address, ...rest }, context) => {
		const say = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
		if (address !== undefined && isolation !== undefined)
			say('isolation', 'is of the embedded server, not of one elsewhere');
		if (address !== undefined && database !== undefined)
			say('database', 'is of the server that is kept here, not of one elsewhere');
		for (const key of ['namespace', 'tls', 'apiKeyFile', 'insecure'] as const)
			if (address === undefined && rest[key] !== undefined) say(key, 'is of a server elsewhere: address is missing');
		if (rest.apiKeyFile !== undefined && rest.tls === undefined)
			say('apiKeyFile', 'wants tls, or it could be read on its way');
		if (typeof rest.tls === 'object' && (rest.tls.certificate === undefined) !== (rest.tls.key === undefined))
			say('tls', 'certificate and key go together');
	});

/** `config.yaml`: written by hand; Rouse adds repositories when it is told to, and changes nothing else in it. */
export const configSchema = z
	.strictObject({
		/** Name to directory. */
		repositories: z.record(nameSchema, z.string().min(1)).default({}),
		/** Those of other machines, from which recoveries of this host read. */
		repositoriesElsewhere: z.record(nameSchema, repositoryElsewhereSchema).default({}),
		defaultRepository: nameSchema.optional(),
		/**
		 * By repository: how many machines may read from it at once, how many recoveries copy disks from it, how many imports have
		 * a moment begun for it, and what all recoveries may read of it in a second, as it lies there: compressed.
		 */
		limits: z
			.record(
				nameSchema,
				z.strictObject({
					mounts: z.int().min(0).max(1_000_000).optional(),
					streams: z.int().min(0).max(1_000_000).optional(),
					imports: z.int().min(0).max(1_000_000).optional(),
					readBytesPerSecond: writtenRateSchema.optional(),
				}),
			)
			.default({}),
		host: z
			.strictObject({
				name: nameSchema.default('local'),
				/** What runs its machines. `simulated` runs none: it is for development and tests. */
				kind: z.enum(['qemu', 'hyperv', 'simulated']).default('qemu'),
				hyperv: hypervHostSchema.optional(),
				/** How many recoveries may be unfinished at once. */
				recoveries: z.int().min(1).max(1000).default(8),
				/** How many of them may copy at once. */
				migrations: z.int().min(1).max(1000).default(4),
				/** What all copies of it may write in a second, bytes of disk; absent: without a limit. */
				copyBytesPerSecond: writtenRateSchema.optional(),
				/** How slow its datastore may be, in milliseconds for a read or write: guests come first. */
				latency: z.union([z.literal('off'), latencyLimitsSchema], 'off, or stopNewMs and throttleMs').prefault({}),
				/** How many virtual processors its machines may have together; absent: four for each of the host's. */
				vcpus: z.int().min(1).max(1_000_000).optional(),
				/** Memory that no machine is granted; absent: a sixteenth, at least 512 MiB and at most 4096. */
				memoryReserveMiB: z.int().min(0).max(1_000_000_000).optional(),
				/** Where a source network leads, for NICs the request does not map: to a network of the host, or `none`. */
				networks: z.record(z.string(), networkTargetSchema).default({}),
				/** What runs guests: `auto` is KVM where it works, else emulation; `kvm` never becomes emulation. */
				accelerator: z.enum(['auto', 'kvm', 'tcg']).default('auto'),
				machineUids: userRangeSchema.default(defaultUserRange),
				autostart: autostartSchema.default('ask'),
				/** What machines read first in a drill is remembered, and fetched first at their next recovery. */
				firstReads: z.boolean().default(true),
			})
			.refine(({ kind, hyperv }) => (kind === 'hyperv') === (hyperv !== undefined), {
				path: ['hyperv'],
				message: 'belongs to `kind: hyperv`, and to no other',
			})
			.prefault({}),
		/** Where whole machines come from, by names of the person's own. */
		sources: z.record(nameSchema, machineSourceSchema).default({}),
		credentials: z.record(nameSchema, credentialSchema).default({}),
		/** Those of other machines whose workers use this installation's Temporal: the id that their seed gave them. */
		hosts: z.record(nameSchema, z.strictObject({ id: z.uuid() })).default({}),
		temporal: temporalSchema.prefault({}),
		/** The one at which Temporal answers, and that of `rouse ui`; absent: chosen free once, then kept. */
		ports: z
			.strictObject({ temporal: z.int().min(1).max(65535).optional(), ui: z.int().min(1).max(65535).optional() })
			.prefault({}),
		/** What hosts elsewhere reach of this installation; absent: nothing. */
		serve: serveSchema.optional(),
	})
	.superRefine(refuseServed)
	.superRefine(refuseUnnamed)
	.refine(({ limits, repositories }) => Object.keys(limits).every(name => Object.hasOwn(repositories, name)), {
		path: ['limits'],
		message: 'names what is no repository here',
	})
	.refine(({ host, hosts }) => !Object.hasOwn(hosts, host.name), {
		path: ['hosts'],
		message: 'has the name of this host: a name means one host',
	});
export type Config = z.infer<typeof configSchema>;

/** One installation: everything durable under `home`, sockets under `runDirectory`. Two of them never meet. */
export interface Installation {
	id: string;
	home: string;
	/** Sockets; short, since a socket's path ends at 107 bytes; empty after a reboot. */
	runDirectory: string;
	/** Downloads and things built; shared by all installations and checkouts of this user. */
	cacheDirectory: string;
}

export function homeDirectory(env: NodeJS.ProcessEnv = process.env): string {
	if (env['ROUSE_HOME']) return resolve(env['ROUSE_HOME']);
	return join(env['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'rouse');
}

export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
	return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'rouse');
}

/** Opens the installation, making it on first use. Several processes may do so at once. */
export async function openInstallation(named: string = homeDirectory()): Promise<Installation> {
	const cache = cacheDirectory();
	await makeHome(named);
	await makeCache(cache);
	// Without links: a machine's user has to get there, and may not enter where they are.
	const home = await realpath(named);
	const path = join(home, 'installation.json');
	const id = (await readIdentity(path)) ?? (await makeIdentity(path));
	return { id, home, runDirectory: await makeRunDirectory(id), cacheDirectory: cache };
}

/** Of this user alone, as all that `config_invalid` is thrown for is not. */
export async function makeHome(home: string): Promise<void> {
	await makeOwnDirectory(asHome(home));
}

/** The same for the cache: programs that we run lie in it. */
export async function makeCache(path: string): Promise<void> {
	await makeOwnDirectory(asCache(path));
}

/** The same look at both, for who makes nothing. */
async function checkHome(home: string): Promise<void> {
	await checkOwnDirectory(asHome(home));
}

export async function checkCache(path: string): Promise<void> {
	await checkOwnDirectory(asCache(path));
}

function asHome(path: string): OwnDirectory {
	return { path, what: 'home of Rouse', elsewhere: 'name another place in ROUSE_HOME' };
}

function asCache(path: string): OwnDirectory {
	return { path, what: 'cache of Rouse', elsewhere: 'name another place in XDG_CACHE_HOME' };
}

const identitySchema = z.strictObject({ id: z.uuid() });

/** The id in a file that {@link makeIdentity} made; undefined when there is none. */
export async function readIdentity(path: string): Promise<string | undefined> {
	let text: string;
	try {
		text = await readFile(path, 'utf8');
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
	return identitySchema.parse(JSON.parse(text)).id;
}

/** What {@link readIdentity} reads. */
export function identityText(id: string): string {
	return `${JSON.stringify({ id })}\n`;
}

/** Gives a place a random id, once: of several processes that try, all end with the same. */
export async function makeIdentity(path: string): Promise<string> {
	await createFileDurably(path, identityText(randomUUID()));
	const id = await readIdentity(path);
	if (id === undefined) throw new RouseError('internal', `${path} vanished while it was made`);
	return id;
}

/** What is there of an installation, for who looks on: undefined when there is none. Makes nothing. */
export async function findInstallation(named: string = homeDirectory()): Promise<Installation | undefined> {
	await checkHome(named);
	const home = await realpath(named).catch(() => named); // not there: nor is what is looked for in it
	const id = await readIdentity(join(home, 'installation.json'));
	return id === undefined
		? undefined
		: { id, home, runDirectory: runDirectoryOf(id), cacheDirectory: cacheDirectory() };
}

function runDirectoryOf(id: string): string {
	const uid = process.getuid?.() ?? 0;
	const short = id.slice(0, 8);
	return uid === 0 ? `/run/rouse/${short}` : `/tmp/rouse-${uid}-${short}`;
}

async function makeRunDirectory(id: string): Promise<string> {
	const path = runDirectoryOf(id);
	await checkWay({ path, what: 'directory of sockets', elsewhere: 'remove it' });
	await mkdir(path, { recursive: true, mode: 0o700 });
	await checkRunDirectory(path);
	return path;
}

/**
 * In /tmp somebody else could have made it first, to be handed our consoles: `config_invalid` for one that is not ours alone.
 * Throws what lstat(2) says when it is not there.
 */
export async function checkRunDirectory(path: string): Promise<void> {
	const uid = process.getuid?.() ?? 0;
	const { uid: owner, mode } = await lstat(path);
	if (owner !== uid || (mode & 0o777) !== 0o700 || (mode & 0o170000) !== 0o040000)
		throw new RouseError(
			'config_invalid',
			`${path} must be a directory of user ${uid} with mode 0700, and is user ${owner}'s with mode ${(mode & 0o7777).toString(8).padStart(4, '0')}`,
			{ hint: `look who made it, then remove it: rm -r ${path}` },
		);
}

/** Reads config.yaml; an absent one is all defaults. Repositories' directories are absolute. Errors name line and column. */
export async function loadConfig(installation: Pick<Installation, 'home'>): Promise<Config> {
	await checkHome(installation.home); // who may exchange the file says where guests' disks go
	const path = join(installation.home, 'config.yaml');
	let text: string;
	try {
		text = await readFile(path, 'utf8');
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return configSchema.parse({});
		throw error;
	}
	const { parseYaml } = await import('./parse-yaml.ts'); // only who has such a file pays for it
	const config = parseYaml(text, path, configSchema, 'config_invalid');
	// From the file, not from wherever a process was started: all are to mean the same directory.
	const repositories = mapValues(config.repositories, to => resolve(installation.home, to));
	const repositoriesElsewhere = mapValues(config.repositoriesElsewhere, to => withAbsolutePaths(installation.home, to));
	const credentials = mapValues(config.credentials, ({ file }) => ({ file: resolve(installation.home, file) }));
	const sources = mapValues(config.sources, ({ knownHostsFile, spool, ...source }) => ({
		...source,
		...(knownHostsFile === undefined ? {} : { knownHostsFile: resolve(installation.home, knownHostsFile) }),
		...(spool === undefined ? {} : { spool: resolve(installation.home, spool) }),
	}));
	const problem = ambiguity(repositories, repositoriesElsewhere);
	if (problem !== undefined) throw new RouseError('config_invalid', `${path}: repositoriesElsewhere: ${problem}`);
	return { ...config, repositories, repositoriesElsewhere, credentials, sources };
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
	return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}

/** Well-known places under an installation. */
export const places = {
	hostIdentity: (home: string) => join(home, 'host', 'host.json'),
	latencyProbe: (home: string) => join(home, 'host', 'latency-probe'),
	ballast: (home: string) => join(home, 'host', 'ballast'),
	recoveries: (home: string) => join(home, 'host', 'recoveries'),
	tombstones: (home: string) => join(home, 'host', 'tombstones'),
	/** Hosts elsewhere that were added here, a directory each. */
	hosts: (home: string) => join(home, 'hosts'),
	hypervOverlay: (home: string) => join(home, 'host', 'hyperv-overlay.json'),
	selftest: (home: string) => join(home, 'host', 'selftest'),
	/** Leases of which the host has said that nothing runs. */
	endedLeases: (home: string) => join(home, 'host', 'ended-leases'),
	/** What machines have read first in drills. */
	firstReads: (home: string) => join(home, 'host', 'first-reads'),
	reportNumbers: (home: string) => join(home, 'host', 'report-numbers.json'),
	/** Programs of the person's own that say whether a machine is ready. */
	checks: (home: string) => join(home, 'checks'),
	/** Reports of drills, a directory for each name. */
	drills: (home: string) => join(home, 'drills'),
	owedUnpins: (home: string) => join(home, 'host', 'owed-unpins'),
	repositoryMovers: (home: string) => join(home, 'host', 'repository-movers'),
	/** Of what is served to hosts elsewhere, repositories and Temporal, and the record of hosts that are let in. */
	repositoryKeys: (home: string) => join(home, 'repository-keys'),
	/** Who reads what of repositories. Not among the keys, which a person removes to have new ones: recoveries go on. */
	repositoryGrants: (home: string) => join(home, 'repository-grants'),
	services: (home: string) => join(home, 'services'),
	temporal: (home: string) => join(home, 'temporal'),
	/** A directory for each set of keys to its door. */
	temporalKeys: (home: string) => join(home, 'temporal', 'keys'),
	/** PostgreSQL's own files, and the directory of its socket. */
	postgres: (home: string) => join(home, 'temporal', 'postgres'),
	postgresSockets: (runDirectory: string) => join(runDirectory, 'postgres'),
	temporalSocket: (runDirectory: string) => join(runDirectory, 'temporal.sock'),
	temporalUiSocket: (runDirectory: string) => join(runDirectory, 'temporal-ui.sock'),
	supervisorSocket: (runDirectory: string) => join(runDirectory, 'supervisor.sock'),
} as const;
