import type { CheckResult, SelftestReport } from '../../model/selftest.ts';

const marks: Record<CheckResult['outcome'], string> = { as_expected: 'ok', otherwise: 'BAD', not_tried: '–' };

/** One check, as it comes: what was expected only where something else was seen. */
export function checkText({ name, why, expected, outcome, seen, hresult }: CheckResult): string {
	const mark = marks[outcome].padEnd(4);
	if (outcome === 'as_expected') return `${mark} ${name}: ${seen}`;
	if (outcome === 'not_tried') return `${mark} ${name}: not tried: ${seen}`;
	const code = hresult === null || seen.includes(hresult) ? '' : ` (${hresult})`;
	return [`${mark} ${name}: ${seen}${code}`, `     expected: ${expected}`, `     because: ${why}`].join('\n');
}

export function reportText({ checks, settings, left, interrupted }: SelftestReport): string {
	const count = (outcome: CheckResult['outcome']) => checks.filter(check => check.outcome === outcome).length;
	const counts = `${count('as_expected')} as expected, ${count('otherwise')} otherwise, ${count('not_tried')} not tried`;
	return [
		`${interrupted ? 'Interrupted: ' : ''}${counts}.`,
		...settings.map(({ what, chosen, why }) => `${what}: ${chosen} (${why})`),
		...left.map(one => `left on the host: ${one}; the next self test removes it`),
	].join('\n');
}
