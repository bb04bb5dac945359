import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { nameSchema } from '../../model/names.ts';
import { initRepository, openRepository } from '../../repository/repository.ts';
import { type RepositoryStatistics, repositoryStatistics } from '../../repository/statistics.ts';
import { addRepository } from '../../system/configured-repositories.ts';
import { homeDirectory, loadConfig } from '../../system/installation.ts';
import { admit, token } from '../repo/hand-out.ts';
import { serve } from '../repo/serve.ts';
import { verify } from '../repo/verify.ts';
import { chooseRepository, repositoryOption } from '../repository-choice.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { formatTable } from '../terminal/format.ts';
import { parseName } from '../terminal/parse.ts';

export const build = (context: Context) => {
	const repo = command('repo').description('where restore points are kept');
	const own = [init(context), add(context), list(context), stats(context), verify(context)];
	for (const verb of [...own, serve(context), admit(context), token(context)]) repo.addCommand(verb);
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
			if (taken !== undefined && taken !== directory)
				throw new RouseError('name_conflict', `config.yaml has a repository ${name} in ${taken}`, {
					hint: 'choose another name with --name',
				});
			const repository = await initRepository(directory);
			await repository.store.close();
			const { id, chunkSizeBytes } = repository;
			// A configuration that is there belongs to a person, who says when it changes.
			const first = !existsSync(join(home, 'config.yaml'));
			if (first) await addRepository({ home }, name, directory);
			const configured = first || taken !== undefined;
			const what = `Repository ${name} made in ${directory}.`;
			const next = configured
				? 'Next: rouse backup import SOURCE --machine NAME'
				: `To recover from it, and to call it by its name: rouse repo add ${name} ${directory}`;
			context.output.result({ name, directory, id, chunkSizeBytes, configured }, `${what}\n${next}`);
		});

const add = (context: Context) =>
	command('add')
		.description('write an existing repository into config.yaml: recoveries read only those named there')
		.argument('<name>', 'its name', parseName)
		.argument('<dir>', 'its directory')
		.addHelpText('after', '\nExample:  rouse repo add archive /mnt/archive/rouse')
		.action(async (name, dir) => {
			const home = homeDirectory(context.env);
			const directory = resolve(dir);
			const repository = await openRepository(directory);
			await repository.store.close();
			const { id, chunkSizeBytes } = repository;
			const added = await addRepository({ home }, name, directory);
			const text = `Repository ${name} is ${directory}${added ? '' : ', as before'}.\nNext: rouse backup list --repo ${name}`;
			context.output.result({ name, directory, id, chunkSizeBytes, added }, text);
		});

const list = (context: Context) =>
	command('list')
		.description('the repositories that config.yaml names')
		.action(async () => {
			const { repositories, defaultRepository } = await loadConfig({ home: homeDirectory(context.env) });
			const named = Object.entries(repositories).map(([name, directory]) => ({ name, directory }));
			const only = named.length === 1 ? named[0]?.name : undefined;
			const known = named.map(one => ({ ...one, default: one.name === (defaultRepository ?? only) }));
			const text =
				known.length === 0
					? 'no repositories; make one: rouse repo init DIR, or name one: rouse repo add NAME DIR'
					: formatTable(
							['NAME', 'DEFAULT', 'DIRECTORY'],
							known.map(one => [one.name, one.default ? 'yes' : '', one.directory]),
							context.output.columns,
						);
			context.output.result({ repositories: known }, text);
		});

const stats = (context: Context) =>
	command('stats')
		.description('what a repository holds, and the space that it takes')
		.option(...repositoryOption)
		.action(async options => {
			const repository = await openRepository(await chooseRepository(context, options.repo));
			try {
				const found = await repositoryStatistics(repository, { signal: context.signal });
				warnOfDamage(context, found);
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
						...(found.badPlaces > 0 ? [`Bad places      ${found.badPlaces}; rouse repo verify tells of them`] : []),
					].join('\n'),
				);
			} finally {
				await repository.store.close();
			}
		});

function warnOfDamage({ output }: Context, { unreadablePacks, unreadablePoints }: RepositoryStatistics): void {
	for (const pack of unreadablePacks) output.warn(`the footer of pack ${pack} cannot be read`);
	for (const { machine, restorePoint, reason } of unreadablePoints)
		output.warn(`${machine}@${restorePoint} cannot be read, and its disks are not counted: ${reason}`);
}

function nameOf(directory: string): string {
	const name = basename(directory).toLowerCase();
	if (nameSchema.safeParse(name).success) return name;
	throw new RouseError('usage', `"${basename(directory)}" is no name for a repository`, {
		hint: 'give one with --name',
	});
}
