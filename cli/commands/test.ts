import { Argument } from '@commander-js/extra-typings';
import { cacheDirectory } from '../../system/installation.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatDuration } from '../terminal/format.ts';
import { runTier, type TierName, type TierResult, testFiles, tierNames, usualTiers } from '../test-tiers.ts';

export const build = (context: Context) =>
	command('test')
		.description('set up what is missing and run the tests: every usual tier, the fastest first, or one')
		.addArgument(new Argument('[tier]', 'only this one').choices(tierNames))
		.action(async tier => {
			const { setUp } = await import('../setup/setup.ts');
			const { longTestTools, testTools } = await import('../setup/test-tools.ts');
			const tiers = tier === undefined ? usualTiers : [tier];
			await setUp(context, tiers.includes('long') ? [...testTools, ...longTestTools] : testTools);
			if (tiers.includes('activity')) {
				const { provideTestPython } = await import('../setup/test-python.ts');
				await provideTestPython(cacheDirectory(context.env), context);
			}
			if (tiers.includes('server')) {
				const { providePostgres } = await import('../setup/postgres.ts');
				await providePostgres(context);
			}
			const results = await runTiers(tiers, context);
			const passed = results.every(result => result.passed);
			const lines = results.map(
				({ name, files, passed: ok, durationMs }) =>
					`${ok ? 'passed' : 'FAILED'}  ${name} (${files} files, ${formatDuration(durationMs)})`,
			);
			context.output.result({ passed, tiers: results }, lines.join('\n') || 'no tests');
			if (!passed) context.exitWith(1);
		});

/** Stops after the first tier that fails: what stands on it would only fail as well. */
async function runTiers(tiers: readonly TierName[], context: Context): Promise<TierResult[]> {
	const results: TierResult[] = [];
	for (const tier of tiers) {
		const files = await testFiles(tier);
		if (files.length === 0) continue;
		context.output.message(`--- ${tier}: ${files.length} files`);
		const result = await runTier(tier, files, context);
		results.push(result);
		if (!result.passed) break;
	}
	return results;
}
