import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { checkoutDirectory } from '../../system/checkout.ts';
import { install } from '../install/install.ts';
import { type Context, command } from '../terminal/command.ts';
import { readVersion } from '../version.ts';

/** `allCommands`: what completion and manual are made of. */
export const buildInstall = (context: Context, allCommands: () => Promise<CommandUnknownOpts>) =>
	command('install')
		.description('put the command rouse, with completion for bash and zsh and a manual, where shells and man look')
		.option('--prefix <dir>', 'directory with bin and share in it (default: ~/.local, or /usr/local for root)')
		.action(async options => {
			const prefix = resolve(options.prefix ?? (process.getuid?.() === 0 ? '/usr/local' : join(homedir(), '.local')));
			const frame = { version: readVersion().version, date: new Date().toISOString().slice(0, 10) };
			const launcher = join(checkoutDirectory, 'rouse');
			const installed = await install({ prefix, launcher, program: await allCommands(), frame });
			const bin = join(prefix, 'bin');
			const inPath = (context.env['PATH'] ?? '').split(':').includes(bin);
			const next = inPath ? 'Next: a new shell knows it.' : `Next: it is not in PATH yet: export PATH=${bin}:$PATH`;
			const text = `${installed.command} leads to ${checkoutDirectory}; completion for bash and zsh, and the manual (man rouse), are in ${prefix}/share.`;
			context.output.result({ ...installed, inPath }, `${text}\n${next}`);
		});
