import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { AskedHosts } from '../../client/batch/ask-hosts.ts';
import { Catalogue } from '../../client/batch/catalogue.ts';
import { type Expansion, expandBatch } from '../../client/batch/expand.ts';
import { type BatchFile, batchFileSchema } from '../../model/batch-file.ts';
import { RouseError } from '../../model/errors.ts';
import type { RecoveryRequest } from '../../model/recovery.ts';
import { isErrno } from '../../system/durable-file.ts';
import type { Config } from '../../system/installation.ts';
import { readYaml } from '../../system/parse-yaml.ts';
import { chooseConfigured } from '../repository-choice.ts';
import type { Context } from '../terminal/command.ts';

/** What was typed at `batch start`. */
export interface BatchOptions {
	name?: string | undefined;
	machines?: string[] | undefined;
	hosts?: string[] | undefined;
	repo?: string | undefined;
	window?: number | undefined;
	reason?: string | undefined;
}

export interface WrittenBatch {
	file: BatchFile;
	placeOf: (keys: readonly PropertyKey[]) => string;
}

/** The batch that a file or `--machines` describes; what else was typed stands above what the file says of all machines. */
export async function writtenBatch(path: string | undefined, options: BatchOptions): Promise<WrittenBatch> {
	const { machines, hosts, name, window, reason } = options;
	if ((path === undefined) === (machines === undefined))
		throw new RouseError('usage', 'either a file or --machines says which machines are meant', {
			hint: "rouse batch start site.yaml, or rouse batch start --machines 'web*'",
		});
	const typed = {
		...(name === undefined ? {} : { name }),
		...(window === undefined ? {} : { window }),
		...(reason === undefined ? {} : { reason }),
	};
	const { value, placeOf } = path === undefined ? ofMachines(machines ?? []) : await ofFile(path);
	const defaults = hosts === undefined ? value.defaults : { ...value.defaults, hosts };
	return { file: { ...value, ...typed, defaults }, placeOf };
}

async function ofFile(path: string) {
	try {
		return readYaml(await readFile(resolve(path), 'utf8'), path, batchFileSchema, 'spec_invalid');
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw error;
		throw new RouseError('usage', `there is no file ${path}`);
	}
}

/** One group of all of them, called by what is meant. */
function ofMachines(machines: string[]) {
	const name = machines.join('-').replaceAll(/[*?]+/g, '').replace(/^-+/, '').slice(0, 40) || 'all';
	const value = batchFileSchema.parse({ name, groups: [{ name: 'machines', machines }] });
	return { value, placeOf: () => '--machines' };
}

/** `existing`: what there is under the name of a recovery. */
export async function expandWritten(
	{ file, placeOf }: WrittenBatch,
	{ known, hosts }: AskedHosts,
	{
		config,
		options,
		existing,
		context,
	}: {
		config: Config;
		options: BatchOptions;
		existing: (name: string) => RecoveryRequest | undefined;
		context: Context;
	},
): Promise<Expansion> {
	const directories = new Map<string, Promise<string>>();
	const directoryOf = (name: string | undefined) => {
		const wanted = name ?? options.repo;
		const chosen = directories.get(wanted ?? '') ?? chooseConfigured(context, wanted, config);
		directories.set(wanted ?? '', chosen);
		return chosen;
	};
	const catalogue = new Catalogue();
	try {
		return await expandBatch(file, {
			catalogue,
			directoryOf,
			known,
			hosts,
			networks: config.host.networks,
			placeOf,
			existing,
			nowMs: Date.now(),
		});
	} finally {
		await catalogue.close();
	}
}
