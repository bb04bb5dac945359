import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setUp } from '../setup/setup.ts';
import { type Context, command } from '../terminal/command.ts';

export const build = (context: Context) =>
	command('demo')
		.description('the main job on real input: back up, start, migrate, kill everything, switch, verify')
		.option('--keep', 'leave its directory, with the installation, the repository and all logs')
		.action(async ({ keep }) => {
			await setUp(context);
			const { output, signal } = context;
			const [{ runDemo }, { summaryText }] = await Promise.all([
				import('../demo/run-demo.ts'),
				import('../demo/report.ts'),
			]);
			const directory = await mkdtemp(join(tmpdir(), 'rouse-demo-'));
			let worked = false;
			try {
				const report = await runDemo({ directory, signal, say: line => output.message(line) });
				worked = true;
				output.result(report, summaryText(report));
			} finally {
				// After a failure everything is left for whoever looks for its cause.
				if (worked && !keep) await rm(directory, { recursive: true, force: true });
				else output.message(`left for you to look at, with no process of it: ${directory}`);
			}
		});
