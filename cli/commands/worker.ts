import { join } from 'node:path';
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { serviceEnvironment } from '../../keeper/services.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { homeDirectory, openInstallation } from '../../system/installation.ts';
import { runForeground } from '../foreground.ts';
import { type Context, command } from '../terminal/command.ts';

const roles = ['control', 'host'] as const;

export const build = ({ env, signal, exitWith }: Context) =>
	command('worker')
		.description('run a Temporal worker in the foreground, for an installation spread over machines')
		.requiredOption('--roles <list>', `what it does, of ${roles.join(', ')}`, parseRoles)
		.action(async options => {
			const installation = await openInstallation(homeDirectory(env));
			const script = join(checkoutDirectory, 'workers', 'main.ts');
			const args = [script, '--roles', options.roles.join(',')];
			exitWith(await runForeground(process.execPath, args, { env: serviceEnvironment(installation, env), signal }));
		});

function parseRoles(text: string): (typeof roles)[number][] {
	return text.split(',').map(part => {
		const role = roles.find(known => known === part);
		if (!role) throw new InvalidArgumentError(`"${part}" is none of ${roles.join(', ')}.`);
		return role;
	});
}
