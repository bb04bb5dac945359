import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Facts } from '../../cli/doctor/facts.ts';
import { sourceFindings } from '../../cli/doctor/findings-sources.ts';
import { lookAtSchedules, lookAtSources, type ScheduleLook, type SourceLook } from '../../cli/doctor/gather-sources.ts';
import { RouseError } from '../../model/errors.ts';
import { configSchema } from '../../system/installation.ts';

const repositoryId = '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d';
const tag = '7d1f0a11-2f3b-4c5d-8e6f-0a1b2c3d4e5f';
const leftover = {
	tag,
	owner: `${repositoryId}/web/01234567`,
	what: 'a snapshot',
	since: null,
	costText: null,
	canDelete: true,
};
const limits = { platformMs: 50, allMs: 120 };

function look(names: readonly string[], leftovers: SourceLook['steps']['leftovers'], isUnderWay = false): SourceLook {
	const config = configSchema.parse({
		repositories: { main: '/backup' },
		sources: Object.fromEntries(names.map(name => [name, { uri: 'simulated:///machine' }])),
	});
	return { config, steps: { leftovers }, imports: { isUnderWay: async () => isUnderWay }, limits };
}

/** As a process that hangs until it is killed. */
const hangs: SourceLook['steps']['leftovers'] = (_places, _machine, signal) =>
	new Promise((_resolve, reject) => {
		const alive = setInterval(() => {}, 1_000); // a signal's own timer keeps no process alive
		signal.addEventListener('abort', () => {
			clearInterval(alive);
			reject(signal.reason);
		});
	});

test('`lookAtSources` goes on where one platform hangs, and asks a few at once', async () => {
	let now = 0;
	let most = 0;
	const leftovers: SourceLook['steps']['leftovers'] = async (places, machine, signal) => {
		if (places.source === 'web') return hangs(places, machine, signal);
		most = Math.max(most, ++now);
		await new Promise(setImmediate);
		now -= 1;
		if (places.source === 'db') throw new RouseError('access_denied', 'may not list');
		return { repositoryId, leftovers: [leftover] };
	};
	const names = ['web', 'db', ...Array.from({ length: 10 }, (_, number) => `m${number}`)];
	const found = await lookAtSources({ ...look(names, leftovers), limits: { platformMs: 400, allMs: 60_000 } });
	assert.deepEqual(
		found.map(({ name }) => name),
		names,
	);
	assert.match(found[0]?.problem?.message ?? '', /has answered in time/);
	assert.deepEqual(found[1]?.problem, { message: 'may not list', ofConfig: false });
	assert.deepEqual([found[2]?.leftovers, found[2]?.problem], [[leftover], undefined]);
	assert.ok(most <= 4, `${most} at once`);
});

test('`lookAtSources` ends in time when all hang, and says of which nobody asked', async () => {
	const names = Array.from({ length: 40 }, (_, number) => `m${number}`);
	const found = await lookAtSources(look(names, hangs));
	assert.equal(found.length, 40);
	assert.match(found.at(-1)?.problem?.message ?? '', /no time to ask/);
});

test('`lookAtSources` tells of nothing while an import is under way', async () => {
	const found = await lookAtSources(look(['web'], async () => ({ repositoryId, leftovers: [leftover] }), true));
	assert.deepEqual(found, [{ name: 'web', leftovers: [], problem: undefined }]);
});

test('an address of no kind is no platform that is silent: config.yaml is wrong', async () => {
	const leftovers = async () => Promise.reject(new RouseError('config_invalid', 'foo:// is no address'));
	const sources = await lookAtSources(look(['web'], leftovers));
	const [finding, ...more] = sourceFindings({ sources, importSchedules: [] });
	assert.deepEqual([finding?.code, finding?.subject, more], ['source_misconfigured', 'web', []]);
	assert.match(finding?.explanation ?? '', /config\.yaml is wrong .*foo:\/\/ is no address/);
});

test('`sourceFindings` of a source that has left thousands of things are few', () => {
	const leftovers = Array.from({ length: 10_000 }, () => leftover);
	const sources: Facts['sources'] = [{ name: 'web', leftovers, problem: undefined }];
	const findings = sourceFindings({ sources, importSchedules: [] });
	assert.equal(findings.length, 17);
	assert.match(findings.at(-1)?.explanation ?? '', /left 9984 more things/);
});

test('`sourceFindings` of schedules: one whose source is gone, and one whose last backup has failed, with why', () => {
	const failure = { code: 'space_short' as const, message: 'LVM group vg has nothing free', hint: 'add a disk' };
	const lastAt = '2026-11-20T03:00:00.000Z';
	const importSchedules = [
		{ source: 'web', isConfigured: true, lastAt, failure },
		{ source: 'gone', isConfigured: false, lastAt, failure },
		{ source: 'db', isConfigured: true, lastAt, failure: null },
	];
	const findings = sourceFindings({ sources: [], importSchedules });
	assert.deepEqual(
		findings.map(({ code, subject, command }) => [code, subject, command]),
		[
			['import_schedule_failed', 'web', 'rouse backup start web'],
			['import_schedule_left', 'gone', 'rouse backup schedule remove gone'],
		],
	);
	assert.match(findings[0]?.explanation ?? '', /space_short: LVM group vg has nothing free \(add a disk\)$/);
});

test('a backup that a person has made since counts: `lookAtSchedules` tells of no failure that it has made up for', async () => {
	const { config } = look(['web'], async () => ({ repositoryId, leftovers: [] }));
	const failure = { code: 'space_short' as const, message: 'LVM group vg has nothing free' };
	const lastAt = '2026-11-20T03:00:00.000Z';
	const told = { when: 'every 1d', requestedBy: 'ann', nextAt: null, last: 'failed' as const, skipped: 0, missed: 0 };
	const schedules: ScheduleLook['schedules'] = { list: async () => [{ ...told, source: 'web', lastAt, failure }] };
	const failureAfter = async (closedAt: string | null, outcome: 'imported' | 'failed') => {
		const workflow = closedAt === null ? ('RUNNING' as const) : ('COMPLETED' as const);
		const by = { requestedBy: 'ann', reason: null, repository: '/backup', repositoryId };
		const summary = { ...by, machine: 'web', source: 'web', workflow, startedAt: lastAt, closedAt };
		const imports = { list: async () => [summary], view: async () => ({ view: { outcome } }) };
		const [found] = await lookAtSchedules({ config, schedules, imports });
		return found?.failure ?? null;
	};
	assert.equal(await failureAfter('2026-11-20T08:00:00.000Z', 'imported'), null);
	assert.equal(await failureAfter('2026-11-20T08:00:00.000Z', 'failed'), failure);
	assert.equal(await failureAfter('2026-11-20T02:00:00.000Z', 'imported'), failure);
	assert.equal(await failureAfter(null, 'imported'), failure);
});
