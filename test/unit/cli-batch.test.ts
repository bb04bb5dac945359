import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHosts, parsePattern, parseWindow } from '../../cli/batch/parse.ts';
import { planDocument } from '../../cli/batch/plan-document.ts';
import { batchPlanText } from '../../cli/batch/plan-text.ts';
import { writtenBatch } from '../../cli/batch/read-plan.ts';
import { batchAnswer, batchText, itemLine } from '../../cli/batch/text.ts';
import { exitOf, follow, liveText } from '../../cli/batch/watch.ts';
import { Output } from '../../cli/terminal/output.ts';
import { batchDocument, type BatchDocument, itemDocument } from '../../client/batch/documents.ts';
import { existingRequests, foundOf } from '../../client/batch/existing.ts';
import type { WaitingView } from '../../model/broker-view.ts';
import type { ItemView } from '../../model/batch-view.ts';
import { RouseError } from '../../model/errors.ts';
import { batchSurroundings, expanded } from '../equipment/batch-surroundings.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { summaryOf } from '../equipment/recovery-summary.ts';
import { sampleRecoveryView } from '../equipment/sample-host.ts';

const item = (changes: Partial<ItemView> = {}): ItemView => ({
	name: 'web01-r1',
	machine: 'web01',
	group: 'web',
	state: 'starting',
	recoveryId: sampleRecoveryView.recoveryId,
	phase: 'starting',
	code: null,
	reason: null,
	found: false,
	own: true,
	startedMs: 0,
	readyMs: null,
	...changes,
});

function documentOf(items: readonly ItemView[], changes: Partial<BatchDocument> = {}): BatchDocument {
	const summary = {
		name: 'site',
		workflow: 'RUNNING',
		items: items.length,
		requestedBy: 'ann',
		reason: 'fire',
		startedAt: '2026-11-20T03:00:00.000Z',
		closedAt: null,
	} as const;
	const view = { phase: 'running', startedMs: 0, endedMs: null, window: 20 } as const;
	const documents = items.map(one => itemDocument(one, {}));
	return { ...batchDocument(summary, view, documents, null), ...changes };
}

test('`batch start` takes a file or patterns, and not both', async () => {
	await assert.rejects(writtenBatch(undefined, {}), { code: 'usage' });
	await assert.rejects(writtenBatch('x.yaml', { machines: ['a'] }), { code: 'usage' });
	await assert.rejects(writtenBatch('/nowhere/x.yaml', {}), { code: 'usage', message: /there is no file/ });
	const { file, placeOf } = await writtenBatch(undefined, { machines: ['web*', 'db*'], hosts: ['kvm1'], window: 3 });
	assert.deepEqual([file.name, file.window, file.defaults], ['web-db', 3, { hosts: ['kvm1'] }]);
	assert.deepEqual(file.groups, [{ name: 'machines', machines: ['web*', 'db*'] }]);
	assert.equal(placeOf([]), '--machines');
	assert.equal((await writtenBatch(undefined, { machines: ['*'] })).file.name, 'all');
});

test('patterns, hosts and windows of a command line are refused as what they are not', () => {
	assert.deepEqual(parsePattern('db0?', ['web*']), ['web*', 'db0?']);
	assert.throws(() => parsePattern('[a]'), /no machine and no pattern/);
	assert.deepEqual(parseHosts('kvm1, kvm2'), ['kvm1', 'kvm2']);
	assert.throws(() => parseHosts('a,a'), /each once/);
	assert.equal(parseWindow('2000'), 2000);
	assert.throws(() => parseWindow('2001'), /from 1 to 2000/);
});

test('the plan of a batch tells order, space, conflicts, problems and what was taken for granted', async () => {
	const expansion = await expanded(
		'groups: [{name: web, after: [base], machines: [web01]}, {name: base, ready: {tcp: "a:1"}, machines: [dc01, db01]}]',
	);
	const { hosts } = batchSurroundings();
	const planned = expansion.items.map(one => ({ item: one, plan: null, warnings: ['slow'], problem: null }));
	const request = makeRequest({ name: 'dc01-r1', machine: 'dc01' });
	const taken = summaryOf(request, { phase: 'running', workflow: 'RUNNING' });
	const foundUnder = (name: string) => foundOf(name === 'dc01-r1' ? taken : undefined, 'x', false);
	const document = planDocument(expansion, planned, {
		hosts,
		places: new Map([['local', 2]]),
		occupied: [],
		foundOf: foundUnder,
	});
	assert.deepEqual(document.waves, [['base'], ['web']]);
	assert.deepEqual(
		document.items.map(({ name }) => name),
		['dc01-r1', 'db01-r1', 'web01-r1'],
	);
	const text = batchPlanText(document);
	assert.match(text, /^plan of batch site: 3 machines in 2 groups, at most 20 on their way at once/);
	assert.match(text, /^ {2}order 1 +base \(2 machines\)\n {2}order 2 +web \(1 machine, when base is ready\)$/m);
	assert.match(text, /^dc01-r1 .* tcp a:1 within 10 min 0 s +would not start$/m);
	assert.match(text, /^ {2}needed +3 machines on local: 3\.00 MiB of disks \(1\.00 GiB free\)/m);
	assert.match(
		text,
		/^ {2}problem +dc01-r1: recovery dc01-r1 is running, and was started with other options; go on with it: rouse recover show dc01-r1;/m,
	);
	assert.match(text, /^ {2}warning +slow \(3 machines\)$/m);
	assert.match(text, /^ {2}estimate +2 of 3 machines ready after about 1 min 20 s \(10 min 20 s if checks/m);
	assert.match(text, /; 1 machine without a place until others are finished; bound by host\/local\/recoveries$/m);
});

test('`existingRequests` knows what is under way, finished, or will be started, and nothing that is over otherwise', () => {
	const request = makeRequest();
	const named = (name: string) => makeRequest({ name });
	const found = existingRequests(
		[
			summaryOf(named('a'), { workflow: 'RUNNING', phase: 'running' }),
			summaryOf(named('b'), { workflow: 'COMPLETED', phase: 'finished' }),
			summaryOf(named('c'), { workflow: 'COMPLETED', phase: 'discarded' }),
			summaryOf(named('d'), { workflow: 'FAILED', phase: 'failed' }),
		],
		{
			name: 'site',
			common: { ...request },
			items: [{ name: 'e', group: 'g', requestHash: 'a'.repeat(64), differs: {} }],
			groups: [{ name: 'g', after: [] }],
			window: 1,
			onFailure: 'continue',
			reason: '',
			requestedBy: '',
		},
	);
	assert.deepEqual([...found.keys()].toSorted(), ['a', 'b', 'e']);
	assert.equal(found.get('e')?.name, 'e');
});

test('a machine of a batch waits for what its group, its host, its check or its person makes it wait for', () => {
	const waitsFor = (...given: Parameters<typeof itemDocument>) => itemDocument(...given).waitsFor;
	const recovery = (phase: 'waiting' | 'running') => summaryOf(makeRequest(), { phase });
	const waiting = item({ state: 'waiting', reason: 'group a is not ready' });
	assert.equal(waitsFor(waiting, {}), 'group a is not ready');
	assert.equal(waitsFor(item(), { recovery: recovery('waiting') }), 'a place on a host');
	assert.equal(waitsFor(item(), { recovery: recovery('running') }), 'its readiness check');
	const ready = item({ state: 'ready' });
	assert.equal(waitsFor(ready, { recovery: recovery('running') }), null);
	const stalled = { code: 'store_unreachable', reason: 'no repository', since: '2026-11-20T03:00:00.000Z' } as const;
	const view = { ...sampleRecoveryView, stalled };
	assert.equal(waitsFor(ready, { recovery: recovery('running'), view }), 'no repository');
	const known = { recovery: recovery('running'), view: sampleRecoveryView };
	const { restoredBytes, sizeBytes, phase } = itemDocument(item(), known);
	assert.deepEqual([restoredBytes, sizeBytes, phase], [1 << 29, 1 << 30, 'running']);
});

test('a machine of a batch that waits for the broker tells for what, in the words of `broker show`', () => {
	const lease: WaitingView = {
		requestId: 'recovery/web01-r1/x/run',
		holder: { workflowId: 'recovery/web01-r1', firstRunId: 'x' },
		position: 3,
		priority: 3,
		agedPriority: 3,
		deadlineMs: null,
		sinceMs: 0,
		host: null,
		lacks: [
			{ resource: 'host/kvm1/memoryMiB', wanted: 8, capacity: 4, free: 4, why: 'too_little', holders: [], ahead: [] },
		],
		estimatedStartMs: null,
		late: false,
	};
	const one = itemDocument(item(), { recovery: summaryOf(makeRequest(), { phase: 'waiting' }), lease });
	const document = { ...documentOf([]), items: [one], broker: { atMs: 0, rebuilding: null } };
	assert.match(batchText(batchAnswer(document)), /host\/kvm1\/memoryMiB: 8 wanted of 4, whoever gives back; place 3/);
	assert.equal(itemLine(one), 'web01-r1: on the way, waiting on local: a place on a host');
});

function nextOf(one: ItemView): string {
	return batchAnswer(documentOf([one], { phase: 'over', workflow: 'COMPLETED' })).next;
}

test('`batch show` tells how many are how far, and what each waits for', () => {
	const answer = batchAnswer(
		documentOf([item({ state: 'ready', phase: 'running' }), item({ name: 'b', state: 'waiting', reason: 'group a' })]),
	);
	const text = batchText(answer);
	assert.match(text, /^site: running; 2 machines: 1 ready, 1 waiting$/m);
	assert.match(text, /by ann, at most 20 on their way at once: fire$/m);
	assert.match(text, /^b +web01 +web +waiting +starting +group a$/m);
	assert.match(text, /^Next: rouse batch watch site;/m);
	const parked = documentOf([item({ state: 'parked', reason: 'no space' })], { phase: 'over', workflow: 'COMPLETED' });
	assert.match(batchText(batchAnswer(parked)), /^Next: .*rouse batch retry site/m);
	const finished = documentOf([item({ state: 'ended', phase: 'finished' })], { phase: 'over', workflow: 'COMPLETED' });
	assert.match(batchText(batchAnswer(finished)), /^site: over; 1 machine: 1 finished$[^]*^Next: one of them: /m);
	const lost = documentOf([item({ state: 'ended', phase: 'running' })], { phase: 'over', workflow: 'COMPLETED' });
	assert.match(
		batchText(batchAnswer(lost)),
		/^site: over; 1 machine: 1 lost$[^]*^Next: lost ones: rouse recover adopt /m,
	);
	const refused = (phase: ItemView['phase'], code: ItemView['code'] = 'name_conflict') =>
		nextOf(item({ state: 'refused', code, phase, reason: 'taken' }));
	assert.doesNotMatch(refused('discarded'), /batch retry/);
	assert.match(refused('discarded'), /the same rouse batch start with --again/);
	for (const next of [refused('running'), refused(null, 'space_short')]) {
		assert.match(next, /batch retry/);
		assert.doesNotMatch(next, /--again/);
	}
	const [one] = parked.items;
	assert.equal(one && itemLine(one), 'web01-r1: parked, starting: no space');
});

const exits: [what: string, items: Partial<ItemView>[], code: number][] = [
	['all are ready or finished', [{ state: 'ready' }, { state: 'ended', phase: 'finished' }], 0],
	['one is parked', [{ state: 'ready' }, { state: 'parked', code: 'space_short' }], 11],
	[
		'those that failed did so for one reason',
		[{ state: 'ended', phase: 'failed', code: 'space_short' }, { state: 'parked' }],
		4,
	],
	[
		'they failed for several reasons',
		[
			{ state: 'ended', phase: 'failed', code: 'space_short' },
			{ state: 'refused', code: 'name_conflict' },
		],
		1,
	],
	['one was discarded', [{ state: 'ended', phase: 'discarded' }], 0],
	['one was ended by force', [{ state: 'ready' }, { state: 'ended', phase: 'running', code: 'interrupted' }], 6],
	['some were left out', [{ state: 'left_out' }], 1],
];

for (const [what, items, code] of exits)
	test(`a watch of a batch ends with ${code} when ${what}`, () => {
		assert.equal(exitOf(documentOf(items.map(item))), code);
	});

test('a watch of a batch whose workflow was ended by force ends with a conflict', () => {
	assert.equal(exitOf(documentOf([], { workflow: 'TERMINATED' })), 6);
});

test('the live table of a batch shows first what may need somebody, and fits the terminal', () => {
	const many = Array.from({ length: 40 }, (_, n) => item({ name: `m${n}`, state: 'ready' }));
	const text = liveText(documentOf([...many, item({ name: 'stuck', state: 'parked' })]), { rows: 10, columns: 80 });
	const lines = text.split('\n');
	assert.match(lines[2] ?? '', /^stuck /);
	assert.equal(lines.at(-1), 'and 35 more: rouse batch show site');
	assert.ok(lines.length < 10);
});

/** A watch of what `looks` are one after the other. */
async function watched(looks: readonly (BatchDocument | RouseError)[], { isTTY = false, interrupt = false } = {}) {
	const said = { out: '', err: '' };
	const stdout = { write: (text: string) => void (said.out += text), isTTY, columns: 80, rows: 10 };
	const stderr = { write: (text: string) => void (said.err += text) };
	const interrupted = new AbortController();
	let exitCode = 0;
	const left = [...looks];
	const look = async () => {
		if (interrupt) interrupted.abort(new RouseError('interrupted', '', { details: { signal: 'SIGINT' } }));
		const next = left.shift();
		assert.ok(next);
		if (next instanceof RouseError) throw next;
		return next;
	};
	const context = {
		output: new Output({ stdout, stderr, json: false, quiet: false, debug: false }),
		env: {},
		signal: interrupted.signal,
		exitWith: (code: number) => {
			exitCode = code;
		},
	};
	await follow('site', look, context, 1);
	return { ...said, exitCode };
}

const over = documentOf([item({ state: 'ready', phase: 'running' })], { phase: 'over', workflow: 'COMPLETED' });

test('a watch of a batch tells a line for each machine that changed, then how it ended', async () => {
	const { out, exitCode } = await watched([documentOf([item()]), documentOf([item()]), over]);
	const lines = out.split('\n');
	assert.deepEqual(lines.slice(0, 3), [
		'web01-r1: on the way, starting',
		'web01-r1: ready, running',
		'site: over; 1 machine: 1 ready',
	]);
	assert.equal(exitCode, 0);
});

test('a watch of a batch on a terminal draws its table anew in the same place', async () => {
	const { out } = await watched([documentOf([item()]), over], { isTTY: true });
	assert.match(out, /^site: running; 1 machine: 1 on the way\n/);
	// Three lines up, and away with them.
	assert.ok(out.includes('\u001b[3A\u001b[Jsite: over; 1 machine: 1 ready\n'), out);
});

test('a watch of a batch goes on when no worker answers for a while, and ends with any other error', async () => {
	const { err, exitCode } = await watched([new RouseError('worker_missing', 'no worker'), over]);
	assert.deepEqual([err, exitCode], ['warning: no worker; it is looked at again\n', 0]);
	await assert.rejects(watched([new RouseError('batch_unknown', 'none')]), { code: 'batch_unknown' });
});

test('Ctrl-C out of `batch watch` is no error, and says that the batch goes on', async () => {
	const { err, exitCode } = await watched([documentOf([item()])], { interrupt: true });
	assert.equal(err, 'batch site goes on; look again: rouse batch watch site\n');
	assert.equal(exitCode, 0);
});
