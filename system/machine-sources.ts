/** `sources` and `credentials` of config.yaml: where whole machines come from. Whoever asks for one says its name alone. */
import * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { type StatedSpec, statedSpecSchema } from '../model/machine.ts';
import { nameSchema } from '../model/names.ts';
import { writtenRateSchema } from '../model/written-values.ts';

/** A secret has a file of its own: what stands in config.yaml may be read, copied and shown. */
export const credentialSchema = z.strictObject({
	/** Of the owner alone; a path below the home. What is in it is the affair of the source's kind. */
	file: z.string().min(1),
});

const uriSchema = z
	.string()
	.max(500)
	.refine(uri => URL.canParse(uri), 'an address, as ssh://backup@web01.example')
	.refine(uri => !hasPassword(uri), 'has a password in it: put it into a file, and say credential: NAME');

const sourceSchema = z.strictObject({
	uri: uriSchema,
	/** Of a source that is a disk: those that the machine has beside it, in their order. */
	furtherDisks: z.array(uriSchema).max(63).optional(),
	/** Of a source that tells none: who does. */
	configuration: uriSchema.optional(),
	credential: nameSchema.optional(),
	/** Its name in the repository; absent: that of the source. */
	machine: nameSchema.optional(),
	/** Absent: the one that is meant without a name. */
	repository: nameSchema.optional(),
	/** What a person says of the machine: it counts before what its platform tells. */
	spec: statedSpecSchema.optional(),
	/** What an import of it may read in a second. */
	maxRate: writtenRateSchema.optional(),
	/** Of archives in a cloud: a directory here, in which what was fetched is kept until the import is over. */
	spool: z.string().min(1).optional(),
	/** Over SSH: the machine's keys as somebody has read them there, in a file of known_hosts. No other is taken. */
	knownHostsFile: z.string().min(1).optional(),
	/** Over SSH: `none` reads disks while they are written to. */
	snapshot: z.literal('none').optional(),
});
export const machineSourceSchema = sourceSchema.superRefine(refuseUnfit);

function hasPassword(uri: string): boolean {
	return URL.canParse(uri) && new URL(uri).password !== '';
}

/** What is of one kind alone is needed there, and would be passed over elsewhere. */
function refuseUnfit(source: z.output<typeof sourceSchema>, context: z.RefinementCtx): void {
	const say = (member: 'knownHostsFile' | 'snapshot' | 'spool', message: string) =>
		context.addIssue({ code: 'custom', path: [member], message });
	const isSsh = /^ssh:/i.test(source.uri);
	if (isSsh && source.knownHostsFile === undefined)
		say('knownHostsFile', 'is needed for ssh://, with the keys of that machine: docs/sources.md');
	for (const member of ['knownHostsFile', 'snapshot'] as const)
		if (!isSsh && source[member] !== undefined) say(member, 'is for ssh:// alone');
	if (source.spool !== undefined && !/^gs:/i.test(source.uri)) say('spool', 'is for gs:// alone');
}

interface Sources {
	sources: Readonly<Record<string, z.output<typeof machineSourceSchema>>>;
	credentials: Readonly<Record<string, z.output<typeof credentialSchema>>>;
	repositories: Readonly<Record<string, string>>;
}

/** What names something that is not there would fail in the night in which it is imported. */
export function refuseUnnamed({ sources, credentials, repositories }: Sources, context: z.RefinementCtx): void {
	for (const [name, { credential, repository }] of Object.entries(sources)) {
		const say = (member: string, message: string) =>
			context.addIssue({ code: 'custom', path: ['sources', name, member], message });
		if (credential !== undefined && !Object.hasOwn(credentials, credential))
			say('credential', `there is no ${credential} under credentials`);
		if (repository !== undefined && !Object.hasOwn(repositories, repository))
			say('repository', `there is no ${repository} under repositories`);
	}
}

/** How a process that talks to the platform finds what opens it. */
export interface Credential {
	name: string;
	path: string;
}

export interface ConfiguredSource {
	name: string;
	uri: string;
	furtherDisks: readonly string[];
	/** Where its configuration is told; null: by the source itself, or nowhere. */
	configuration: string | null;
	spoolPath: string | null;
	credential: Credential | null;
	machine: string;
	spec: StatedSpec;
	/** Name of its repository; null: the one that is meant without a name. */
	repository: string | null;
	maxRateBytes: number | null;
	knownHostsPath: string | null;
	/** What holds its disks still while they are read; null: what its kind has for that. */
	snapshot: 'none' | null;
}

/** `config_invalid` when there is none of this name. */
export function sourceIn({ sources, credentials }: Omit<Sources, 'repositories'>, name: string): ConfiguredSource {
	const found = Object.hasOwn(sources, name) ? sources[name] : undefined;
	if (found === undefined) throw unknownSource(Object.keys(sources), name);
	const { uri, furtherDisks = [], configuration = null, credential } = found;
	const { machine = name, repository = null, spec = {}, maxRate = null } = found;
	const { spool: spoolPath = null, knownHostsFile: knownHostsPath = null, snapshot = null } = found;
	const path = credential === undefined ? undefined : credentials[credential]?.file;
	return {
		name,
		uri,
		furtherDisks,
		configuration,
		spoolPath,
		credential: credential === undefined || path === undefined ? null : { name: credential, path },
		machine,
		spec,
		repository,
		maxRateBytes: maxRate,
		knownHostsPath,
		snapshot,
	};
}

function unknownSource(names: readonly string[], name: string): RouseError {
	return new RouseError('config_invalid', `config.yaml has no source ${name}`, {
		hint: names.length === 0 ? 'write it under sources: {NAME: {uri: …}}' : `it has ${names.toSorted().join(', ')}`,
		details: { source: name },
	});
}
