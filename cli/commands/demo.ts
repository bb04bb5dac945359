import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Option } from '@commander-js/extra-typings';
import { setUp } from '../setup/setup.ts';
import { type Context, command } from '../terminal/command.ts';
import type { DemoOptions } from '../demo/run-demo.ts';

export const build = (context: Context) =>
	command('demo')
		.description('the main job on real input: back up, start, migrate, kill everything, switch, verify')
		.option('--hyperv', 'on a Hyper-V host whose Windows side is simulated')
		.addOption(
			new Option('--batch', 'a site of thirteen machines, one of them real, that comes back in order').conflicts(
				'hyperv',
			),
		)
		.option('--keep', 'leave its directory, with the installation, the repository and all logs')
		.action(async ({ hyperv, batch, keep }) => {
			await setUp(context);
			const { output, signal } = context;
			const directory = await mkdtemp(join(tmpdir(), 'rouse-demo-'));
			let worked = false;
			try {
				const options: DemoOptions = { directory, signal, say: line => output.message(line) };
				const { report, text } = batch
					? await aSite(options, context)
					: hyperv
						? await onHyperv(options)
						: await onQemu(options);
				worked = true;
				output.result(report, text);
			} finally {
				// After a failure everything is left for whoever looks for its cause.
				if (worked && !keep) await rm(directory, { recursive: true, force: true });
				else output.message(`left for you to look at, with no process of it: ${directory}`);
			}
		});

async function onQemu(options: DemoOptions) {
	const [{ runDemo }, { summaryText }] = await Promise.all([
		import('../demo/run-demo.ts'),
		import('../demo/report.ts'),
	]);
	const report = await runDemo(options);
	return { report, text: summaryText(report) };
}

async function onHyperv(options: DemoOptions) {
	const [{ runHypervDemo }, { summaryText }] = await Promise.all([
		import('../demo/hyperv/run-demo.ts'),
		import('../demo/hyperv/report.ts'),
	]);
	const report = await runHypervDemo(options);
	return { report, text: summaryText(report) };
}

async function aSite(options: DemoOptions, context: Context) {
	const [{ runBatchDemo }, { summaryText }] = await Promise.all([
		import('../demo/batch/run-demo.ts'),
		import('../demo/batch/report.ts'),
	]);
	const report = await runBatchDemo(options, context);
	return { report, text: summaryText(report) };
}
