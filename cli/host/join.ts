import { resolve } from 'node:path';
import { homeDirectory } from '../../system/installation.ts';
import { type Context, command } from '../terminal/command.ts';

export const join = (context: Context) =>
	command('join')
		.description("make this machine a host of another one's installation, by the file of `rouse host invite` there")
		.argument('<file>', 'the invitation')
		.action(async file => {
			const [{ readInvitation }, { joinHome }] = await Promise.all([
				import('./invitation.ts'),
				import('./join-home.ts'),
			]);
			const path = resolve(file);
			const invitation = await readInvitation(path);
			const home = homeDirectory(context.env);
			const joined = await joinHome(home, invitation);
			const { name, hostId, temporal, repositories } = invitation;
			context.output.result(
				{ joined, name, hostId, home, temporal: temporal.address, repositories: repositories.map(one => one.name) },
				`${name}: ${joined ? 'joined' : 'is joined already'}, with its home in ${home}. Remove ${path}.\nNext: rouse up --detach`,
			);
		});
