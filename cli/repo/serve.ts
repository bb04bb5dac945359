import { RepositoryChildren } from '../../repository/access/children.ts';
import { systemClock } from '../../system/clock.ts';
import { configuredAs } from '../../system/configured-repositories.ts';
import { homeDirectory, loadConfig, openInstallation } from '../../system/installation.ts';
import { chooseRepository } from '../repository-choice.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseAddress } from '../terminal/parse.ts';

export const serve = (context: Context) =>
	command('serve')
		.description('give the chunks of a repository to movers of other hosts, until Ctrl-C')
		.argument('<dir|name>', 'the repository')
		.requiredOption('--listen <address:port>', 'where to listen; port 0 is one that is free', parseAddress)
		.addHelpText(
			'after',
			`
By TLS, to a host that shows a certificate of this installation (rouse repo admit), and of a restore point only to who has
a token for it: its supervisor gets the one of each of its recoveries here (or rouse repo token).

Example:  rouse repo serve /backup/rouse --listen 10.0.0.5:7400`,
		)
		.action(async (named, { listen }) => {
			const { output, signal } = context;
			const config = await loadConfig({ home: homeDirectory(context.env) });
			const chosen = await chooseRepository(context, named, config);
			// What recoveries were granted says it as it is configured.
			const directory = (await configuredAs(config, chosen)) ?? chosen;
			const installation = await openInstallation(homeDirectory(context.env));
			const { home } = installation;
			const { serveRepository } = await import('../../movers/repository-mover/serve-repository.ts');
			const access = RepositoryChildren.of(installation);
			const { port, ended } = await serveRepository({
				directory,
				access,
				home,
				listen,
				clock: systemClock,
				signal,
				onFailure: ({ message }) => output.warn(`movers wait: ${message}`),
			});
			const listening = { type: 'listening', host: listen.host, port, directory };
			output.event(listening, `${directory} is served at ${listen.host}, port ${port}, until Ctrl-C`);
			await ended;
			void access.close(); // one that hangs in the kernel does not end
		});
