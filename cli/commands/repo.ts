import { mkdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { RouseError } from '../../model/errors.ts';
import { nameSchema } from '../../model/names.ts';
import { initRepository, openRepository } from '../../repository/repository.ts';
import { repositoryStatistics } from '../../repository/statistics.ts';
import { createFileDurably } from '../../system/durable-file.ts';
import { homeDirectory, loadConfig } from '../../system/installation.ts';
import { chooseRepository, repositoryOption } from '../repository-choice.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatBytes } from '../terminal/format.ts';
import { parseName } from '../terminal/parse.ts';

export const build = (context: Context) => {
	const repo = command('repo').description('where restore points are kept');
	for (const verb of [init(context), stats(context)]) repo.addCommand(verb);
	return repo;
};

const init = (context: Context) =>
	command('init')
		.description('make a repository in a new or empty directory')
		.argument('<dir>', 'its directory')
		.option('--name <name>', 'its name in config.yaml (default: that of the directory)', parseName)
		.addHelpText('after', '\nExample:  rouse repo init /backup/rouse')
		.action(async (dir, options) => {
			const home = homeDirectory(context.env);
			const directory = resolve(dir);
			const name = options.name ?? nameOf(directory);
			const { repositories } = await loadConfig({ home });
			const taken = Object.hasOwn(repositories, name) ? repositories[name] : undefined;
			if (taken !== undefined && resolve(taken) !== directory)
				throw new RouseError('name_conflict', `config.yaml has a repository ${name} in ${taken}`, {
					hint: 'choose another name with --name',
				});
			const repository = await initRepository(directory);
			await repository.store.close();
			const { id, chunkSizeBytes } = repository;
			const configured = taken !== undefined || (await configure(home, name, directory));
			const what = `Repository ${name} made in ${directory}.`;
			const next = configured
				? 'Next: rouse backup import SOURCE --machine NAME'
				: `To call it by its name, add to ${join(home, 'config.yaml')}:\n${configLines(name, directory)}`;
			context.output.result({ name, directory, id, chunkSizeBytes, configured }, `${what}\n${next}`);
		});

const stats = (context: Context) =>
	command('stats')
		.description('what a repository holds, and what it takes')
		.option(...repositoryOption)
		.action(async options => {
			const repository = await openRepository(await chooseRepository(context, options.repo));
			try {
				const found = await repositoryStatistics(repository, { signal: context.signal });
				for (const pack of found.unreadablePacks) context.output.warn(`the footer of pack ${pack} cannot be read`);
				const ratio = found.storedBytes > 0 ? (found.dataBytes / found.storedBytes).toFixed(1) : '0';
				context.output.result(
					found,
					[
						`Repository      ${found.location}`,
						`Machines        ${found.machines}, with ${found.points} restore points`,
						`Their disks     ${formatBytes(found.disksBytes)}, ${formatBytes(found.dataBytes)} of it not zero`,
						`Stored          ${formatBytes(found.storedBytes)}, ${found.chunks} chunks in ${found.packs} packs`,
						`Saved           ${ratio} bytes of data for each stored one`,
						`In use          ${found.pins} pins, ${found.intents} imports`,
					].join('\n'),
				);
			} finally {
				await repository.store.close();
			}
		});

function nameOf(directory: string): string {
	const name = basename(directory).toLowerCase();
	if (nameSchema.safeParse(name).success) return name;
	throw new RouseError('usage', `"${basename(directory)}" is no name for a repository`, {
		hint: 'give one with --name',
	});
}

/** Writes the first config.yaml; one that is there belongs to a person. */
async function configure(home: string, name: string, directory: string): Promise<boolean> {
	await mkdir(home, { recursive: true, mode: 0o700 });
	return await createFileDurably(
		join(home, 'config.yaml'),
		`${configLines(name, directory)}${stringify({ defaultRepository: name })}`,
	);
}

function configLines(name: string, directory: string): string {
	return stringify({ repositories: { [name]: directory } });
}
