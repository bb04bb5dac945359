import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importMeant, sourceMeant } from '../../cli/backup/source/meant.ts';
import { schedulesText } from '../../cli/backup/source/schedule.ts';
import { exitOf, type ImportAnswer, importText, isOver } from '../../cli/backup/source/text.ts';
import { configSchema } from '../../system/installation.ts';
import { explain } from '../../workflows/broker/explain.ts';
import { BrokerSite, leaseRequest } from '../equipment/broker-site.ts';

const answer: ImportAnswer = {
	source: 'web',
	repository: '/backup',
	machine: 'web01',
	phase: 'copying',
	endedAt: null,
	outcome: null,
	restorePoint: '2026-11-20T03:00:00.000Z',
	takenAt: null,
	holdUntil: null,
	consistency: 'crash',
	disks: [],
	queuedAgain: null,
	begunAnew: 0,
	figures: null,
	warnings: [],
	cancelled: null,
	failure: null,
	workflow: 'RUNNING',
	requestedBy: null,
	reason: null,
	startedAt: '2026-11-20T03:00:00.000Z',
	progress: null,
	attempt: 1,
	lastFailure: null,
	waits: false,
	broker: null,
};
const over = { phase: 'over', endedAt: '2026-11-20T03:01:00.000Z' } as const;
const failure = { code: 'source_unreachable', message: 'connection reset' } as const;

for (const [what, changes, headline, next, exit] of [
	['under way', {}, /^web01 \(web\) is copied$/, 'rouse backup watch web', undefined],
	[
		'stored',
		{ ...over, outcome: 'imported' },
		/^web01@2026-.*: stored$/,
		'rouse recover start web01@2026-11-20T03:00:00.000Z',
		0,
	],
	['failed', { ...over, outcome: 'failed', failure }, /failed: source_unreachable: /, 'rouse backup start web', 8],
	['ended by force', { workflow: 'TERMINATED' }, /terminated in Temporal/, 'rouse backup start web', 6],
] as const)
	test(`\`importText\` of a backup that is ${what} tells what comes next, as its exit code does`, () => {
		const now: ImportAnswer = { ...answer, ...changes };
		const lines = importText(now).split('\n');
		assert.match(lines[0] ?? '', headline);
		assert.equal(lines.at(-1), `Next: ${next}`);
		assert.equal(isOver(now) ? exitOf(now) : undefined, exit);
	});

test('`importText` of a backup that waits for its turn names whom it waits for', () => {
	const site = new BrokerSite({ 'repository/main': { imports: 1 } });
	const turnOf = (machine: string) =>
		leaseRequest(machine, {
			holder: { workflowId: `import/0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d/${machine}`, firstRunId: 'a' },
			step: 'import',
			shared: { 'repository/main/imports': 1 },
		});
	site.acquire(turnOf('db01'), turnOf('web01'));
	site.tick();
	const text = importText({ ...answer, phase: 'queued', broker: explain(site.state, site.nowMs, 100) });
	assert.match(text, /^web01 \(web\) waits for its turn$/m);
	const again = importText({ ...answer, phase: 'queued', queuedAgain: 'connection reset', waits: true });
	assert.match(again, /^web01 \(web\) waits for its turn once more: connection reset$/m);
	assert.match(text, /^ {2}waits for repository\/main\/imports: 0 of 1 free, 1 wanted; held by db01 \(1\); place 1/m);
});

test('`sourceMeant` says in the words of config.yaml that a source names none of several repositories', async () => {
	const config = configSchema.parse({
		repositories: { a: '/a', b: '/b' },
		sources: { web: { uri: 'simulated:///machine' } },
	});
	await assert.rejects(sourceMeant({ env: {} }, 'web', config), {
		code: 'repository_missing',
		hint: 'write repository: NAME under sources of config.yaml, to web',
	});
});

test('`importMeant` takes from Temporal what an import is known by, and opens no repository that may hang', async () => {
	const config = configSchema.parse({
		repositories: { main: '/hangs' },
		sources: { web: { uri: 'simulated:///machine' } },
	});
	const listed = {
		machine: 'web',
		repositoryId: '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d',
		source: 'web',
		repository: '/hangs',
		workflow: 'RUNNING',
		requestedBy: null,
		reason: null,
		startedAt: '2026-11-20T03:00:00.000Z',
		closedAt: null,
	} as const;
	const meant = (repository: string) =>
		importMeant({ env: {} }, 'web', { config, imports: { list: async () => [{ ...listed, repository }] } });
	assert.deepEqual(await meant('/hangs'), { machine: 'web', repositoryId: listed.repositoryId });
	await assert.rejects(meant('/another'), { code: 'repository_missing' });
});

test('`schedulesText` says why the last backup has failed, and what to do', () => {
	const times = { when: 'every 4h', requestedBy: 'ann', nextAt: null, lastAt: null, skipped: 0, missed: 0 };
	const text = schedulesText([
		{ ...times, source: 'db', last: 'imported', failure: null },
		{ ...times, source: 'web', last: 'failed', failure: { ...failure, hint: 'look at its SSH server' } },
	]);
	assert.deepEqual(text.split('\n').slice(3), [
		'web failed: source_unreachable: connection reset',
		'  look at its SSH server',
		'  Next, when that is mended: rouse backup start web',
	]);
});
