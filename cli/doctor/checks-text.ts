import type { Check } from '../setup/tools.ts';
import { formatTable } from '../terminal/format.ts';

/** The table of what is there, and what mends the rest. A problem that has no room in the table stands whole beneath it. */
export function checksText(checks: readonly Check[], columns: number | undefined): string {
	const table = formatTable(
		['', 'what', 'version', 'for'],
		checks.map(check => [
			check.ok ? 'ok' : 'BAD',
			check.name,
			check.problem ?? check.version ?? 'there',
			check.purpose,
		]),
		columns,
	);
	const cut = checks.flatMap(({ name, problem }) =>
		problem === null || table.includes(problem) ? [] : [`${name}: ${problem}`],
	);
	const fixes = [...new Set(checks.flatMap(check => check.fix ?? []))];
	const mending = ['To mend it, rouse setup does what it can; by hand:', ...fixes.map(fix => `  ${fix}`)];
	const parts = [[table], cut, fixes.length === 0 ? [] : mending];
	return parts
		.filter(lines => lines.length > 0)
		.map(lines => lines.join('\n'))
		.join('\n\n');
}
