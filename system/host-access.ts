/** What a host elsewhere is given to reach an installation, as a seed or an invitation brings it: texts, and the files of its home. */
import { join } from 'node:path';
import * as z from 'zod';
import { nameSchema } from '../model/names.ts';
import type { Config } from './installation.ts';
import type { NewFile } from './write-new-files.ts';

export const pemSchema = z
	.string()
	.regex(/^-----BEGIN [A-Z ]+-----\n[\s\S]+\n-----END [A-Z ]+-----\n$/, 'is no PEM text');
export const portSchema = z.int().min(1).max(65_535);
/** A name or an address: it ends up in files that have a line for each. */
export const hostNameSchema = z.string().regex(/^[A-Za-z\d.:-]{1,253}$/, 'is no host name');

/** What it shows, and what it knows the other side by. */
export const keyTexts = { authority: pemSchema, certificate: pemSchema, key: pemSchema };
export type KeyTexts = { [name in keyof typeof keyTexts]: string };

export const temporalAccessSchema = z.strictObject({
	address: z.string().regex(/^[^\s]+:\d+$/, 'is no address as temporal.example:7233'),
	namespace: z.string().min(1).optional(),
	tls: z.strictObject({ ...keyTexts, serverName: hostNameSchema.optional() }),
	/** 32 bytes in hexadecimal that seal what Temporal keeps. */
	payloadKey: z
		.string()
		.regex(/^[\da-f]{64}$/, 'is no key of 32 bytes in hexadecimal')
		.optional(),
});
export type TemporalAccess = z.infer<typeof temporalAccessSchema>;

/** A repository that `rouse repo serve` serves there. */
export const servedRepository = {
	name: nameSchema,
	/** Its path where it is. */
	directory: z.string().regex(/^\/[^\0]*$/, 'must be an absolute path'),
	host: hostNameSchema,
	port: portSchema,
};
export type ServedRepository = z.infer<z.ZodObject<typeof servedRepository>>;

export interface HostAccess {
	temporal: TemporalAccess;
	/** One certificate opens them all. */
	repositoryKeys?: KeyTexts;
	repositories: readonly ServedRepository[];
}

/** Below `directory`, which is for nothing else. */
export function accessFiles({ temporal, repositoryKeys }: HostAccess, directory: string): NewFile[] {
	const { tls, payloadKey } = temporal;
	return [
		...keyFiles(join(directory, 'temporal'), tls),
		...(payloadKey === undefined ? [] : [{ path: payloadKeyIn(directory), text: `${payloadKey}\n` }]),
		...(repositoryKeys === undefined ? [] : keyFiles(join(directory, 'repository'), repositoryKeys)),
	];
}

/** What config.yaml says where {@link accessFiles} are in this directory. */
export function accessConfig(
	{ temporal, repositories }: HostAccess,
	directory: string,
): Pick<Config, 'repositoriesElsewhere' | 'temporal'> {
	const { address, namespace, payloadKey } = temporal;
	const { serverName } = temporal.tls;
	const repositoryKeys = keyPaths(join(directory, 'repository'));
	return {
		repositoriesElsewhere: Object.fromEntries(
			repositories.map(({ name, ...where }) => [name, { ...where, ...repositoryKeys }]),
		),
		temporal: {
			address,
			...(namespace === undefined ? {} : { namespace }),
			tls: { ...keyPaths(join(directory, 'temporal')), ...(serverName === undefined ? {} : { serverName }) },
			...(payloadKey === undefined ? {} : { payloadKeyFile: payloadKeyIn(directory) }),
		},
	};
}

const payloadKeyIn = (directory: string) => join(directory, 'temporal', 'payload.key');

function keyPaths(directory: string): KeyTexts {
	const file = (name: string) => join(directory, name);
	return { authority: file('authority.crt'), certificate: file('host.crt'), key: file('host.key') };
}

function keyFiles(directory: string, texts: KeyTexts): NewFile[] {
	const paths = keyPaths(directory);
	return [
		{ path: paths.authority, text: texts.authority },
		{ path: paths.certificate, text: texts.certificate },
		{ path: paths.key, text: texts.key },
	];
}
