/** What a host elsewhere needs to read a repository of this installation: a certificate, and for each recovery a token. */
import { resolve } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { makeToken } from '../../repository/service/point-token.ts';
import { readTokenKey, serviceKeys } from '../../repository/service/service-keys.ts';
import { createFileDurably } from '../../system/durable-file.ts';
import { homeDirectory, openInstallation } from '../../system/installation.ts';
import { findPoint, titleOf, withRepository } from '../backup/restore-point.ts';
import { admitTo } from '../host/admit.ts';
import { repositoryOption } from '../repository-choice.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseId, parseName, parsePoint } from '../terminal/parse.ts';

export const admit = (context: Context) =>
	command('admit')
		.description('make a certificate with which a host is admitted to `repo serve`')
		.argument('<host>', 'its name, as `host.name` of its config.yaml says', parseName)
		.requiredOption('--to <dir>', 'a new directory for the certificate, its key, and what the service is known by')
		.addHelpText('after', '\nExample:  rouse repo admit hv1 --to ./hv1-keys')
		.action((host, options) => admitTo(context, host, options.to, ['repositories']));

export const token = (context: Context) =>
	command('token')
		.description('make a token that opens one restore point at `repo serve`, for one recovery')
		.argument('<name@point>', 'as web01@latest', parsePoint)
		.requiredOption('--recovery <id>', 'the id of the recovery', parseId)
		.requiredOption('--to <file>', 'a new file for it')
		.option(...repositoryOption)
		.addHelpText(
			'after',
			'\nExample:  rouse repo token web01@latest --recovery 0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d --to ./token',
		)
		.action(async (reference, options) => {
			const file = resolve(options.to);
			await withRepository(context, options.repo, async repository => {
				const point = await findPoint(repository, reference, context.signal);
				const { home } = await openInstallation(homeDirectory(context.env));
				const key = await readTokenKey(await serviceKeys(home));
				const { manifest, manifestDigest } = point;
				const { machine, time } = manifest;
				const grant = { recoveryId: options.recovery, machine, time, manifestDigest };
				if (!(await createFileDurably(file, `${makeToken(key, grant)}\n`)))
					throw new RouseError('usage', `${file} is there already`, { hint: 'name a file that is not' });
				context.output.result({ ...grant, file }, `A token for ${titleOf(point)} is in ${file}.`);
			});
		});
