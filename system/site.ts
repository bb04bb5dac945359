/** The installation as a site of a broker: who tells it how much there is, and how a repository is called there. */
import { createHash } from 'node:crypto';
import { nameSchema } from '../model/names.ts';
import type { Config } from './installation.ts';

/**
 * Every mount is a mover's process with its cache, and every stream has chunks of its own under way: numbers that one
 * machine with disks of this decade serves without its guests noticing. Imports: what one control worker copies at once
 * (`importSlots`), so that no platform keeps a moment that nobody reads yet.
 */
const defaultLimits = { mounts: 64, streams: 8, imports: 2 } as const;

/**
 * How many machines may read from a repository at once, how many disks may be copied from it, and of how many machines the
 * platforms may keep a moment for it.
 */
export type RepositoryLimits = Record<keyof typeof defaultLimits, number>;

type Site = Pick<Config, 'host' | 'hosts' | 'repositories' | 'repositoriesElsewhere'>;

/** Whom a broker that comes up empty waits for: `host/kvm1`, `repository/main`. */
export function reportersOf({ host, hosts, repositories }: Omit<Site, 'repositoriesElsewhere'>): string[] {
	return [
		...[host.name, ...Object.keys(hosts)].map(name => `host/${name}`),
		...Object.keys(repositories).map(name => `repository/${name}`),
	];
}

/** What is reported of each repository that `config.yaml` names. */
export function repositoryLimits({
	repositories,
	limits,
}: Pick<Config, 'repositories' | 'limits'>): Map<string, RepositoryLimits> {
	return new Map(
		Object.keys(repositories).map(name => [name, limitsOf(Object.hasOwn(limits, name) ? limits[name] : {})]),
	);
}

/** What may be read in a second of the repository in `directory`, as it lies there; 0 is without a limit. */
export function readLimitOf(
	{ repositories, limits }: Pick<Config, 'repositories' | 'limits'>,
	directory: string,
): number {
	const [name] = Object.entries(repositories).find(([, to]) => to === directory) ?? [];
	return name !== undefined && Object.hasOwn(limits, name) ? (limits[name]?.readBytesPerSecond ?? 0) : 0;
}

/**
 * The name under which a broker knows the repository in `directory`. One that the configuration does not name has one that
 * is always the same, and of which nobody says how much there is: who asks for it waits, and is told so.
 */
export function repositoryNameOf(
	{ repositories, repositoriesElsewhere }: Pick<Site, 'repositories' | 'repositoriesElsewhere'>,
	directory: string,
): string {
	const here = Object.entries(repositories).find(([, to]) => to === directory);
	const elsewhere = Object.entries(repositoriesElsewhere).find(([, to]) => to.directory === directory);
	const unnamed = `unnamed-${createHash('sha256').update(directory).digest('hex').slice(0, 16)}`;
	return nameSchema.parse(here?.[0] ?? elsewhere?.[0] ?? unnamed);
}

function limitsOf({
	mounts = defaultLimits.mounts,
	streams = defaultLimits.streams,
	imports = defaultLimits.imports,
}: Config['limits'][string] = {}): RepositoryLimits {
	return { mounts, streams, imports };
}
