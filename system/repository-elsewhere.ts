/** A repository on another machine, which serves it by `rouse repo serve`: `repositoriesElsewhere` of config.yaml. */
import { resolve } from 'node:path';
import * as z from 'zod';

export const repositoryElsewhereSchema = z.strictObject({
	/** Its path on the machine where it is: plans and requests call it so. */
	directory: z.string().regex(/^\//, 'must be an absolute path'),
	/** Where `rouse repo serve` listens. */
	host: z.string().min(1),
	port: z.int().min(1).max(65_535),
	/** What `rouse repo admit` made for this host; paths are below the home. */
	authority: z.string().min(1),
	certificate: z.string().min(1),
	key: z.string().min(1),
});
export type RepositoryElsewhere = z.infer<typeof repositoryElsewhereSchema>;

export function withAbsolutePaths(home: string, elsewhere: RepositoryElsewhere): RepositoryElsewhere {
	const { authority, certificate, key } = elsewhere;
	const absolute = (path: string) => resolve(home, path);
	return {
		...elsewhere,
		authority: absolute(authority),
		certificate: absolute(certificate),
		key: absolute(key),
	};
}

/** What is wrong where a name or a directory would mean two repositories; the first that is found. */
export function ambiguity(
	here: Readonly<Record<string, string>>,
	elsewhere: Readonly<Record<string, Pick<RepositoryElsewhere, 'directory'>>>,
): string | undefined {
	const named = new Map(Object.entries(here).map(([name, directory]) => [directory, name]));
	for (const [name, { directory }] of Object.entries(elsewhere)) {
		if (Object.hasOwn(here, name)) return `${name} is under repositories as well: choose another name`;
		const other = named.get(directory);
		if (other !== undefined) return `${name} and ${other} have the same directory, by which recoveries name theirs`;
		named.set(directory, name);
	}
	return undefined;
}
