import { inspectAll } from '../setup/doctor.ts';
import type { Check } from '../setup/tools.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatTable } from '../terminal/format.ts';

const blockedExit = 4;

export const build = (context: Context) =>
	command('doctor')
		.description('say what is there, in which version, what is missing, and the command that mends it')
		.action(async () => {
			const checks = await inspectAll(context);
			const ok = checks.every(check => check.ok);
			context.output.result({ ok, checks }, textOf(checks));
			if (!ok) context.exitWith(blockedExit);
		});

function textOf(checks: readonly Check[]): string {
	const table = formatTable(
		['', 'what', 'version', 'for'],
		checks.map(check => [
			check.ok ? 'ok' : 'BAD',
			check.name,
			check.problem ?? check.version ?? 'there',
			check.purpose,
		]),
	);
	const fixes = [...new Set(checks.flatMap(check => check.fix ?? []))];
	if (fixes.length === 0) return table;
	return `${table}\n\nTo mend it, rouse setup does what it can; by hand:\n${fixes.map(fix => `  ${fix}`).join('\n')}`;
}
