/**
 * One page that needs nothing else: no script, no file, no address. What guests and people's programs said is in it, so
 * nothing comes into it but through `safe`, and its policy lets a browser load nothing whatever stands there.
 */
import type { DrillReport, MachineReport, TestResult } from '../model/drill-report.ts';
import { formatBytes } from '../model/format-bytes.ts';
import { terminalText } from '../system/terminal-text.ts';

export function reportHtml(report: DrillReport): string {
	const { name, machines, passed, startedAt, endedAt, requestedBy, reason, cancelled } = report;
	const good = machines.filter(machine => machine.passed).length;
	const verdict = passed ? 'passed' : 'failed';
	return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Drill ${safe(name)}: ${verdict}</title>
<style>${style}</style>
</head>
<body>
<h1>Drill ${safe(name)} <span class="${verdict}">${verdict}</span></h1>
<p>${good} of ${machines.length} machines came back and passed their tests.
Started ${safe(startedAt)} by ${safe(requestedBy)}, tried until ${safe(endedAt)}.${reason === '' ? '' : ` ${safe(reason)}.`}</p>
${cancelled === null ? '' : `<p class="failed">${safe(cancelled)}</p>`}
<table>
<thead><tr><th>Machine</th><th>Result</th><th>Restore point</th><th>Host</th><th>To power-on</th><th>Boot</th><th>To ready</th><th>Read</th><th>Tests</th></tr></thead>
<tbody>
${machines.map(row).join('\n')}
</tbody>
</table>
${machines.map(section).join('\n')}
</body>
</html>
`;
}

function row(machine: MachineReport): string {
	const { name, machine: original, passed, restorePoint, host, tests, change } = machine;
	const count = `${tests.filter(test => test.passed).length}/${tests.length}`;
	const was =
		change === null || change.passed === passed ? '' : `<small>was ${change.passed ? 'passed' : 'failed'}</small>`;
	return `<tr><td><a href="#${safe(name)}">${safe(original)}</a></td><td class="${word(passed)}">${word(passed)}${was}</td><td>${safe(restorePoint)}</td><td>${safe(host ?? '')}</td>${(
		['startMs', 'bootMs', 'readyMs'] as const
	)
		.map(what => cell(machine[what], change?.[what] ?? null, seconds))
		.join('')}${cell(machine.readBytes, change?.readBytes ?? null, formatBytes)}<td>${count}</td></tr>`;
}

function cell(value: number | null, change: number | null, format: (value: number) => string): string {
	if (value === null) return '<td></td>';
	const since = change === null ? '' : `<small>${change < 0 ? '−' : '+'}${format(Math.abs(change))}</small>`;
	return `<td>${format(value)}${since}</td>`;
}

function section({
	name,
	machine,
	passed,
	code,
	reason,
	tests,
	screenshot,
	screenshotReason,
	discarded,
	change,
}: MachineReport): string {
	const why = passed ? '' : `<p class="failed">${safe([code, reason].filter(part => part !== null).join(': '))}</p>`;
	const left = discarded ? '' : '<p class="failed">It was not thrown away yet when this was written.</p>';
	const compared = change === null ? '' : `<p>Compared with the drill of ${safe(change.since)}.</p>`;
	return `<section id="${safe(name)}">
<h2>${safe(machine)} <span class="${word(passed)}">${word(passed)}</span></h2>
${why}${left}${compared}
${tests.map(testDetails).join('\n')}
${picture(screenshot, screenshotReason, machine)}
</section>`;
}

function testDetails({ name, by, passed, code, reason, output, durationMs }: TestResult): string {
	const why = passed ? '' : `<p class="failed">${safe([code, reason].filter(part => part !== null).join(': '))}</p>`;
	const said = output === '' ? '<p>It said nothing.</p>' : `<pre>${safe(output)}</pre>`;
	return `<details${passed ? '' : ' open'}><summary><span class="${word(passed)}">${word(passed)}</span> ${safe(name)} <small>${safe(by)}, ${seconds(durationMs)}</small></summary>${why}${said}</details>`;
}

/** Base64 has no character that could end the attribute: what is none is left out. */
function picture(screenshot: string | null, reason: string | null, machine: string): string {
	if (screenshot !== null && /^[A-Za-z0-9+/]+={0,2}$/.test(screenshot))
		return `<figure><img alt="Console of ${safe(machine)}" src="data:image/png;base64,${screenshot}"></figure>`;
	return reason === null ? '' : `<p>No picture of its console: ${safe(reason)}</p>`;
}

const escapes: Readonly<Record<string, string>> = {
	'&': '&amp;',
	'<': '&lt;',
	'>': '&gt;',
	'"': '&quot;',
	"'": '&#39;',
};

/** Any text, as text and nothing else, in an element or a quoted attribute. */
function safe(text: string): string {
	return terminalText(text).replaceAll(/[&<>"']/g, character => escapes[character] ?? '');
}

function word(passed: boolean): 'passed' | 'failed' {
	return passed ? 'passed' : 'failed';
}

function seconds(ms: number): string {
	return ms < 60_000
		? `${(ms / 1_000).toFixed(1)} s`
		: `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}

const style = `
:root { color-scheme: light dark; --line: #bbb; --good: #176b2c; --bad: #b3140f; --back: #f4f4f4; }
@media (prefers-color-scheme: dark) { :root { --line: #555; --good: #6fd58b; --bad: #ff8a80; --back: #242424; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
small { display: block; opacity: .75; }
summary small { display: inline; }
.passed { color: var(--good); } .failed { color: var(--bad); }
section { border-top: 2px solid var(--line); margin-top: 2rem; }
pre { background: var(--back); padding: .6rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
img { max-width: 100%; border: 1px solid var(--line); }
`;
