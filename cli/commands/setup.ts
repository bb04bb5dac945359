import { setUp } from '../setup/setup.ts';
import { type Context, command } from '../terminal/command.ts';

export const build = (context: Context) =>
	command('setup')
		.description('install or build what is missing: Debian packages, the Temporal CLI')
		.action(async () => {
			const result = await setUp(context);
			const packages = result.installed.length > 0 ? `installed ${result.installed.join(', ')}; ` : '';
			const { path, server } = result.temporal;
			context.output.result(result, `${packages}ready (Temporal server ${server}: ${path})\nNext: rouse demo`);
		});
