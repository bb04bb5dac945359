/** Hosts elsewhere that are let in to what this installation serves, and those that are no more. */
import { resolve } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { type AccessKind, accessKinds, readAdmitted, withdrawHost } from '../../repository/service/admitted-hosts.ts';
import { admitHost } from '../../repository/service/service-keys.ts';
import { homeDirectory, openInstallation } from '../../system/installation.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';

export const admit = (context: Context) =>
	command('admit')
		.description('make a certificate with which a host elsewhere reaches Temporal and the repositories served here')
		.argument('<host>', 'its name', parseName)
		.requiredOption('--to <dir>', 'a new directory for the certificate, its key, and what the services are known by')
		.addHelpText('after', '\nExample:  rouse host admit hv1 --to ./hv1-keys')
		.action((host, options) => admitTo(context, host, options.to, accessKinds));

/** Also of `repo admit`, which lets in to the repositories alone. */
export async function admitTo(
	{ env, output }: Context,
	host: string,
	directory: string,
	to: readonly AccessKind[],
): Promise<void> {
	const { home } = await openInstallation(homeDirectory(env));
	const path = resolve(directory);
	const keys = await admitHost(home, host, path, to);
	output.result({ host, to, ...keys }, `Keys for ${host} are in ${path}: bring them there unseen.`);
}

export const withdraw = (context: Context) =>
	command('withdraw')
		.description('take the access of a host elsewhere away: its certificate opens nothing any more')
		.argument('<host>', 'its name', parseName)
		.addHelpText('after', '\nExample:  rouse host withdraw hv1')
		.action(async host => {
			const { home } = await openInstallation(homeDirectory(context.env));
			if (!(await withdrawHost(home, host))) throw await notAdmitted(home, host);
			context.output.result({ host }, `${host} is let in no more; what it has open ends within seconds.`);
		});

async function notAdmitted(home: string, host: string): Promise<RouseError> {
	const names = (await readAdmitted(home)).map(one => one.host);
	return new RouseError('host_unknown', `${host} is not admitted`, {
		hint: names.length === 0 ? 'no host is: rouse host admit HOST --to DIR' : `admitted are: ${names.join(', ')}`,
	});
}
