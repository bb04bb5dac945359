import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchFileSchema } from '../../model/batch-file.ts';
import { readYaml } from '../../system/parse-yaml.ts';

const read = (text: string) => readYaml(text, 'site.yaml', batchFileSchema, 'spec_invalid').value;
const withMachine = (machine: string) =>
	read(`name: site\ngroups:\n  - name: all\n    machines:\n      - ${machine}\n`);

function entryOf(machine: string) {
	const [entry] = withMachine(machine).groups[0]?.machines ?? [];
	assert.ok(typeof entry === 'object');
	return entry;
}

test('a batch file with a pattern alone has the defaults of all else', () => {
	const { window, onFailure, defaults, groups } = withMachine('web*');
	assert.deepEqual({ window, onFailure, defaults }, { window: 20, onFailure: 'continue', defaults: {} });
	assert.deepEqual(groups, [{ name: 'all', machines: ['web*'] }]);
});

test('sizes, times and durations of a batch file are read into bytes, UTC and milliseconds', () => {
	const entry = entryOf('{machine: a, memory: 2GiB, by: 2026-11-20T03:00+01:00, rto: 4h, maxRate: 20MiB}');
	assert.deepEqual(entry, {
		machine: 'a',
		memory: 2048,
		by: '2026-11-20T02:00:00.000Z',
		rto: 14_400_000,
		maxRate: 20_971_520,
	});
});

const checks: [written: string, check: object, timeoutMs: number][] = [
	['{agent: 5m}', { by: 'agent' }, 300_000],
	['{ping: 10.0.0.7}', { by: 'ping', address: '10.0.0.7' }, 600_000],
	['{tcp: "10.0.0.7:443", within: 90s}', { by: 'tcp', address: '10.0.0.7', port: 443 }, 90_000],
	['{command: web-check, args: [a], within: 2h}', { by: 'command', name: 'web-check', args: ['a'] }, 7_200_000],
];

for (const [written, check, timeoutMs] of checks)
	test(`\`ready: ${written}\` of a batch file is a check with a time limit`, () => {
		assert.deepEqual(entryOf(`{machine: a, ready: ${written}}`).ready, { check, timeoutMs });
	});

const refusals: [written: string, message: RegExp][] = [
	['Web', /^site\.yaml:5:9: groups\.0\.machines\.0: a name of a machine, or a pattern as web\*/],
	['17', /^site\.yaml:5:9: groups\.0\.machines\.0: a machine or a pattern, or a map with machine$/],
	['{machine: a, pint: x}', /^site\.yaml:5:22: .*pint: no such field is known here: there are machine, repository,/],
	['{name: a}', /^site\.yaml:5:9: groups\.0\.machines\.0\.machine: is missing/],
	['{machine: a, point: yesterday}', /^site\.yaml:5:22: .*point: latest, latest before 2026-11-20T03:00Z, or/],
	['{machine: a, by: tomorrow}', /^site\.yaml:5:22: .*by: a time, as 2026-11-20T03:00:00Z/],
	['{machine: a, by: 2026-02-30T00:00Z}', /^site\.yaml:5:22: .*by: there is no such day/],
	['{machine: a, memory: 16 GiBB}', /^site\.yaml:5:22: .*memory: a machine's memory, as 2048 \(MiB\) or 2GiB$/],
	['{machine: a, maxRate: 20 parsecs}', /^site\.yaml:5:22: .*maxRate: a size, as 1048576, 512K or 20MiB$/],
	['{machine: a, memory: 1}', /^site\.yaml:5:22: .*memory: must be at least 16$/],
	['{machine: a, priority: 9}', /^site\.yaml:5:22: .*priority: must be at most 5$/],
	['{machine: a, hosts: [k, k]}', /^site\.yaml:5:22: .*hosts: a host is named once$/],
	['{machine: a, ready: soon}', /^site\.yaml:5:22: .*ready: power, or one of \{agent: 5m\}/],
	['{machine: a, ready: {agent: 5}}', /^site\.yaml:5:30: .*ready\.agent: a duration, as 90s/],
	['{machine: a, ready: {ping: b, tcp: "b:1"}}', /^site\.yaml:5:22: .*ready: one of \{agent: 5m\}/],
	['{machine: a, ready: {agent: 5m, within: 5m}}', /^site\.yaml:5:22: .*ready: one of/],
	['{machine: a, ready: {ping: b, args: [x]}}', /^site\.yaml:5:22: .*ready: one of/],
	['{machine: a, ready: {tcp: "b:99999"}}', /^site\.yaml:5:22: .*ready: one of/],
];

for (const [written, message] of refusals)
	test(`a batch file with ${written} is refused with the place and what is accepted`, () => {
		assert.throws(() => withMachine(written), { code: 'spec_invalid', message });
	});
