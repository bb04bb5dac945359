import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupText, groupTimes } from '../../cli/demo/batch/groups.ts';
import { simulatedMachines, siteFile, siteGroups } from '../../cli/demo/batch/site.ts';
import { mostAtOnce, stayOf } from '../../cli/demo/batch/stays.ts';
import { batchFileSchema } from '../../model/batch-file.ts';
import type { AuditEntry } from '../../client/audit-entry.ts';
import { parseYaml } from '../../system/parse-yaml.ts';

const at = (second: number) => `2026-11-20T03:00:${String(second).padStart(2, '0')}.000Z`;

test('`demo --batch`: its file is one, names each group of the site, and leaves no machine out', () => {
	const { groups } = parseYaml(siteFile, 'site.yaml', batchFileSchema, 'spec_invalid');
	assert.deepEqual(
		groups.map(({ name }) => name),
		siteGroups.map(({ name }) => name),
	);
	assert.equal(simulatedMachines.length, 12);
});

test('`stayOf`: a place is taken from the beginning of the reservation to the end of the finish, or still', () => {
	const reserved: AuditEntry = { at: at(5), kind: 'step', text: '', step: 'reserve', durationMs: 2_000 };
	const finished: AuditEntry = { at: at(9), kind: 'step', text: '', step: 'finalize', durationMs: 1_000 };
	const ms = (second: number) => Date.parse(at(second));
	assert.deepEqual(stayOf('a', [reserved, finished]), { fromMs: ms(3), toMs: ms(9) });
	assert.deepEqual(stayOf('a', [reserved]), { fromMs: ms(3), toMs: Infinity });
	assert.throws(() => stayOf('a', [finished]), { code: 'internal' });
});

test('`mostAtOnce`: the fullest moment; one that ends as another begins is not there with it', () => {
	assert.equal(mostAtOnce([]), 0);
	const stays = [
		{ fromMs: 0, toMs: 10 },
		{ fromMs: 5, toMs: 20 },
		{ fromMs: 10, toMs: 15 },
		{ fromMs: 30, toMs: Infinity },
	];
	assert.equal(mostAtOnce(stays), 2);
	assert.equal(mostAtOnce([...stays, { fromMs: 14, toMs: 15 }]), 3);
});

test('`groupTimes`: first start and last readiness of each group, and no group before the one in front of it', () => {
	const item = (group: string, from: number, to: number | null) => ({
		name: `${group}-${from}`,
		group,
		startedAt: at(from),
		readyAt: to === null ? null : at(to),
	});
	const base = [item('base', 1, 4), item('base', 2, 8)];
	const times = groupTimes(['base', 'web'], [item('web', 9, 12), ...base], at(0));
	assert.deepEqual(times[0], { name: 'base', machines: 2, startedAfterMs: 1_000, readyAfterMs: 8_000 });
	assert.match(times.map(groupText).join('\n'), /^base +2 machines.* 1.* 8.*\nweb +1 machines.* 9.* 12/);
	assert.throws(() => groupTimes(['base', 'web'], [...base, item('web', 7, 12)], at(0)), /web began before/);
	assert.throws(() => groupTimes(['base'], [item('base', 1, null)], at(0)), { code: 'machine_failed' });
});
