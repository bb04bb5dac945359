import { copyFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { DrillReports } from '../../drills/reports.ts';
import type { DrillReport } from '../../model/drill-report.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { fileError } from '../../model/errors.ts';
import { homeDirectory, openInstallation, places } from '../../system/installation.ts';
import { terminalLine } from '../../system/terminal-text.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatTable } from '../terminal/format.ts';
import { formatTime } from '../terminal/format-time.ts';
import { parseName } from '../terminal/parse.ts';

/** Without services: reports lie in the home of Rouse. */
export const buildReport = (context: Context) =>
	command('report')
		.description('the last report of a drill: times, tests with what they said, how it changed; --html for the page')
		.argument('<name>', 'drill', parseName)
		.option('--html <file>', 'write the page with everything in it, pictures of consoles too, to this file')
		.action(async (name, { html }) => {
			const { home } = await openInstallation(homeDirectory(context.env));
			const { report, page } = await new DrillReports(places.drills(home)).read(name);
			if (html !== undefined)
				await copyFile(page, resolve(html)).catch((cause: unknown) => {
					throw cause instanceof Error ? fileError(cause, html) : cause;
				});
			context.output.result({ ...report, page }, reportText(report, page, context.output.columns));
		});

function reportText(
	{ name, passed, startedAt, cancelled, machines }: DrillReport,
	page: string,
	columns?: number,
): string {
	return [
		`${name} of ${formatTime(startedAt)}: ${passed ? 'passed' : 'FAILED'}${cancelled === null ? '' : terminalLine(`; ${cancelled}`)}`,
		formatTable(
			['MACHINE', 'RESULT', 'BOOT', 'READY', 'READ', 'TESTS', 'WHY'],
			machines.map(machine => [
				machine.machine,
				machine.passed ? 'passed' : 'FAILED',
				withChange(machine.bootMs, machine.change?.bootMs, seconds),
				withChange(machine.readyMs, machine.change?.readyMs, seconds),
				withChange(machine.readBytes, machine.change?.readBytes, formatBytes),
				`${machine.tests.filter(test => test.passed).length}/${machine.tests.length}`,
				machine.passed ? '' : terminalLine(`${machine.code ?? ''}: ${machine.reason ?? ''}`),
			]),
			columns,
		),
		`The page: ${page}`,
	].join('\n');
}

function withChange(
	value: number | null,
	change: number | null | undefined,
	format: (value: number) => string,
): string {
	if (value === null) return '';
	if (change === null || change === undefined || change === 0) return format(value);
	return `${format(value)} (${change < 0 ? '-' : '+'}${format(Math.abs(change))})`;
}

function seconds(ms: number): string {
	return `${(ms / 1_000).toFixed(1)} s`;
}
