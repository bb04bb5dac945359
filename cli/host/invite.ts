import { resolve } from 'node:path';
import { homeDirectory, openInstallation } from '../../system/installation.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';

export const invite = (context: Context) =>
	command('invite')
		.description('let another machine with QEMU in as a host of this installation; there: rouse host join FILE')
		.argument('<host>', 'what it is called in Rouse', parseName)
		.requiredOption('--to <file>', 'a new file with all that it needs, keys among it')
		.addHelpText('after', '\nExample:  rouse host invite kvm2 --to ./kvm2.invitation')
		.action(async (name, options) => {
			const installation = await openInstallation(homeDirectory(context.env));
			const path = resolve(options.to);
			const { inviteHost } = await import('./invite-host.ts');
			const { hostId, temporal, repositories } = await inviteHost(installation, name, path);
			context.output.result(
				{ name, hostId, path, temporal: temporal.address, repositories: repositories.map(one => one.name) },
				`${name} is invited by ${path}: bring it there unseen, and say there: rouse host join FILE; rouse up --detach`,
			);
		});
