import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { serviceEnvironment, serviceFiles, serviceHolder } from '../../keeper/services.ts';
import { RouseError } from '../../model/errors.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { homeDirectory, openInstallation, places } from '../../system/installation.ts';
import { runForeground } from '../foreground.ts';
import { type Context, command } from '../terminal/command.ts';

/** Exit code of flock(1) for "somebody holds it": the supervisor never ends with it. */
const lockHeldExit = 75;

export const build = ({ env, signal, exitWith }: Context) =>
	command('supervisor')
		.description("run this host's supervisor in the foreground, for an installation spread over machines")
		.action(async () => {
			const installation = await openInstallation(homeDirectory(env));
			const { home } = installation;
			await mkdir(places.services(home), { recursive: true });
			const { lockPath } = serviceFiles(home, 'supervisor');
			const script = join(checkoutDirectory, 'supervisor', 'main.ts');
			const args = ['-n', '-F', '-E', String(lockHeldExit), lockPath, process.execPath, script];
			const code = await runForeground('flock', args, { env: serviceEnvironment(installation, env), signal });
			if (code !== lockHeldExit) return exitWith(code);
			const pid = (await serviceHolder(home, 'supervisor'))?.pid;
			throw new RouseError('lock_held', `a supervisor of ${home} runs already${pid ? ` (pid ${pid})` : ''}`, {
				hint: 'a host has one; rouse down ends it when rouse up started it',
			});
		});
