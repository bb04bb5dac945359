import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { checkoutDirectory } from '../../system/checkout.ts';
import { install } from '../install/install.ts';
import { type Context, command } from '../terminal/command.ts';

/** `allCommands`: what completion is made of. */
export const buildInstall = (context: Context, allCommands: () => Promise<CommandUnknownOpts>) =>
	command('install')
		.description('put the command rouse, with completion for bash and zsh, where shells look for it')
		.option('--prefix <dir>', 'directory with bin and share in it (default: ~/.local, or /usr/local for root)')
		.action(async options => {
			const prefix = resolve(options.prefix ?? (process.getuid?.() === 0 ? '/usr/local' : join(homedir(), '.local')));
			const installed = await install(prefix, join(checkoutDirectory, 'rouse'), await allCommands());
			const bin = join(prefix, 'bin');
			const inPath = (context.env['PATH'] ?? '').split(':').includes(bin);
			const next = inPath ? 'Next: a new shell knows it.' : `Next: it is not in PATH yet: export PATH=${bin}:$PATH`;
			const text = `${installed.command} leads to ${checkoutDirectory}; completion for bash and zsh is in ${prefix}/share.`;
			context.output.result({ ...installed, inPath }, `${text}\n${next}`);
		});
