import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DirectoryContent, Facts, HeldFacts, WorkflowFacts } from '../../cli/doctor/facts.ts';
import { findingsOf } from '../../cli/doctor/findings.ts';
import { protocolVersion } from '../../supervisor/protocol.ts';
import { sampleRecoveryView } from '../equipment/sample-host.ts';

const id = '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d';
const otherId = '7d1f0a11-2f3b-4c5d-8e6f-0a1b2c3d4e5f';
const old = 3_600_000;

const calm: Facts = {
	home: '/home',
	host: 'local',
	recoveries: [],
	tombstones: new Map(),
	held: [],
	orphans: [],
	runDirectories: [],
	runDirectoryRefused: undefined,
	temporaries: [],
	taps: [],
	space: { freeBytes: 1e12, ballast: true },
	supervisor: { state: 'answers', protocol: protocolVersion },
	views: [],
	services: [],
	silent: [],
	outages: [],
	workflows: [],
	temporalClock: { lastPollMs: 1_000, nowMs: 2_000 },
	broker: undefined,
	owedUndos: [],
	repositories: [],
	grants: [],
	sources: [],
	importSchedules: [],
};

const running: DirectoryContent = {
	kind: 'recovery',
	recoveryId: id,
	name: 'r1',
	powerOnScheduled: true,
	repository: '/repo',
};
const directory = (content: DirectoryContent, more: Partial<Facts['recoveries'][number]> = {}) => ({
	recoveries: [{ name: 'r1', path: '/home/r1', ageMs: old, files: [], content, ...more }],
});
const nobody: DirectoryContent = { kind: 'nobody', recoveryId: undefined };
const unreadable: DirectoryContent = { kind: 'unreadable', reason: 'torn' };
const workflow: WorkflowFacts = {
	name: 'r1',
	recoveryId: id,
	host: 'local',
	phase: 'running',
	status: 'RUNNING',
	parked: null,
};
const ended = { tombstones: new Map([[id, { name: 'r1', state: 'discarded' as const }]]) };
const pin = {
	recoveryId: id,
	machine: 'web01',
	restorePoint: '2026-11-20T03:00:00Z',
	manifestDigest: 'sha256:00',
	reason: 'recovery r1',
	pinnedAt: '2026-11-20T03:00:00Z',
	ageMs: old,
	granted: undefined,
};
const pins = { repositories: [{ directory: '/repo', pins: [pin], damagedPins: [], problem: undefined }] };
const pinsOf = (granted: { host: string; ended: boolean }, ageMs = old) => ({
	repositories: [{ directory: '/repo', pins: [{ ...pin, granted, ageMs }], damagedPins: [], problem: undefined }],
});
const damaged = { damagedPins: [{ recoveryId: id, reason: 'not canonical' }], problem: undefined };
const damagedPin = { repositories: [{ directory: '/repo', pins: [], ...damaged }] };
const granted = {
	grants: [{ recoveryId: id, name: 'r1', host: 'hv1', repository: '/repo', ageMs: old }],
	repositories: [{ directory: '/repo', pins: [], damagedPins: [], problem: undefined }],
};
const sockets = { name: id.slice(0, 8), path: '/run/x', ageMs: old, listening: false, configured: false };
const held = (of: HeldFacts['of'], recovery = 'r1'): HeldFacts => ({
	path: `/home/${recovery}/${of}.lock`,
	pid: 7,
	of,
	recovery,
	startTicks: '1',
});
const view = { ...sampleRecoveryView, name: 'r1', recoveryId: id };
const parked = { code: 'machine_failed', reason: 'it crashed', next: { order: 'power-reset' } } as const;
const since = '2026-11-20T03:00:00Z';
const stalled = { code: 'store_unreachable', reason: 'away', since } as const;
const tap = { name: `rouse${id.slice(0, 8)}0`, used: false, directory: '/home/r1', hasMachine: false };
const temporary = { path: '/home/r1/x.rouse-tmp', ageMs: old, recovery: 'r1' };

const owedUndo = { recovery: 'r1', recoveryId: id, host: 'local', since, ageMs: old };

/** What is seen; the codes of what is found, with a `+` when `--fix` mends it. */
const cases: [title: string, facts: Partial<Facts>, found: string[]][] = [
	['nothing at all', {}, []],
	['a recovery and its workflow', { ...directory(running), workflows: [workflow], ...pins }, []],
	['a recovery while Temporal does not answer', { ...directory(running), workflows: undefined, ...pins }, []],
	['a recovery that waits for nobody', { views: [view] }, []],
	[
		'one that is parked, by its workflow and its host',
		{
			...directory(running),
			workflows: [{ ...workflow, parked: { ...parked, since } }],
			views: [{ ...view, blocked: parked }],
		},
		['recovery_parked'],
	],
	['one that is parked by its host alone', { views: [{ ...view, blocked: parked, stalled }] }, ['recovery_parked']],
	['one that waits for what is away', { views: [{ ...view, stalled }] }, ['recovery_stalled']],
	[
		'a finished machine that has crashed',
		{ views: [{ ...view, state: 'finished', power: 'crashed' }] },
		['machine_crashed'],
	],
	['a recovery without a workflow', directory(running), ['workflow_missing']],
	['a recovery that has left this host', { ...directory(running), owedUndos: [owedUndo] }, ['undo_owed']],
	[
		'one that has left another, and is here',
		{ ...directory(running), owedUndos: [{ ...owedUndo, host: 'far' }] },
		['workflow_missing', 'undo_owed'],
	],
	['one that has just left another', { owedUndos: [{ ...owedUndo, host: 'far', ageMs: 60_000 }] }, []],
	[
		'a recovery whose workflow was terminated',
		{ ...directory(running), workflows: [{ ...workflow, status: 'TERMINATED' }] },
		['workflow_closed'],
	],
	[
		'a recovery whose workflow has given the host up',
		{ ...directory(running), workflows: [{ ...workflow, status: 'COMPLETED', phase: 'abandoned' }] },
		['recovery_abandoned'],
	],
	[
		'a recovery under the name of another',
		{ ...directory(running), workflows: [{ ...workflow, recoveryId: otherId, host: 'far' }] },
		['workflow_foreign'],
	],
	['a workflow whose recovery is not here', { workflows: [workflow] }, ['recovery_not_here']],
	['one of another host', { workflows: [{ ...workflow, host: 'far' }] }, []],
	['one that is only starting', { workflows: [{ ...workflow, phase: 'starting' }] }, []],
	['one that has just ended here', { ...ended, workflows: [workflow] }, []],
	[
		'one that may be what cannot be read',
		{ ...directory(unreadable), workflows: [{ ...workflow, name: 'other' }] },
		['recovery_unreadable'],
	],
	['a directory that was copied', { ...directory({ ...running, name: 'r0' }) }, ['recovery_misplaced']],
	[
		'an end that a supervisor did not come to',
		{ ...directory(running), ...ended, supervisor: { state: 'down' } },
		['ending_unfinished', 'supervisor_down'],
	],
	['an end under way', { ...directory(running), ...ended }, []],
	['an empty directory', directory(nobody, { files: ['state.json.ab.rouse-tmp'] }), ['directory_empty+']],
	['one that is being made', directory(nobody, { ageMs: 10 }), []],
	['a directory that nobody owns', directory(nobody, { files: ['disk0.raw'] }), ['directory_unowned']],
	['sockets of a recovery', { ...directory(running), workflows: [workflow], runDirectories: [sockets] }, []],
	[
		'a directory of sockets that is somebody else’s',
		{ runDirectoryRefused: { path: '/tmp/rouse-1-2', reason: 'another’s', mend: 'rm -r /tmp/rouse-1-2' } },
		['run_directory_refused'],
	],
	[
		'a worker that does not reach Temporal',
		{ outages: [{ worker: 'host-worker', since: '2026-11-20T03:00:00Z', reason: 'refused', next: 'rouse up' }] },
		['temporal_away'],
	],
	[
		'what is to be served and does not answer',
		{ silent: [{ key: 'serve.temporal', host: '192.0.2.10', port: 7243, logPath: '/home/services/host-door.log' }] },
		['served_silent'],
	],
	['sockets of nothing', { runDirectories: [sockets] }, ['run_directory_left+']],
	[
		'sockets of what has lost its first record and not its machine.json',
		{ ...directory({ kind: 'nobody', recoveryId: id }, { files: ['machine.json'] }), runDirectories: [sockets] },
		['directory_unowned'],
	],
	['a tap of a recovery', { ...directory(running), workflows: [workflow], taps: [tap] }, []],
	['a tap of nothing', { taps: [tap] }, ['tap_left+']],
	['a tap that does not say whose it is', { taps: [{ ...tap, directory: undefined }] }, ['tap_left']],
	['a tap that a machine has open', { taps: [{ ...tap, used: true }] }, []],
	['a tap whose machine is there, of another installation', { taps: [{ ...tap, hasMachine: true }] }, []],
	['a tap that may be of what cannot be read', { ...directory(unreadable), taps: [tap] }, ['recovery_unreadable']],
	['sockets being made', { runDirectories: [{ ...sockets, ageMs: 10 }] }, []],
	['sockets that somebody listens on', { runDirectories: [{ ...sockets, listening: true }] }, ['run_directory_left']],
	['sockets of a repository mover', { runDirectories: [{ ...sockets, configured: true }] }, []],
	[
		'sockets that may be of what cannot be read',
		{ ...directory(unreadable), runDirectories: [sockets] },
		['recovery_unreadable'],
	],
	['a temporary file', { temporaries: [{ ...temporary, recovery: undefined }] }, ['temporary_left+']],
	['one being written', { temporaries: [{ ...temporary, recovery: undefined, ageMs: 10 }] }, []],
	[
		'one beside the writes of a guest',
		{ ...directory(running), workflows: [workflow], temporaries: [temporary] },
		['temporary_left'],
	],
	[
		'one of a recovery that was never powered on',
		{ ...directory({ ...running, powerOnScheduled: false }), workflows: [workflow], temporaries: [temporary] },
		['temporary_left+'],
	],
	['little space', { space: { freeBytes: 1e6, ballast: false } }, ['space_low']],
	['a mover of nobody', { ...directory(nobody), held: [held('mover')] }, ['process_unowned+']],
	['a mover of what has just come', { ...directory(nobody, { ageMs: 1_000 }), held: [held('mover')] }, []],
	[
		'a machine of nobody, with its mover',
		{ ...directory(nobody), held: [held('machine'), held('mover')] },
		['process_unowned', 'process_unowned'],
	],
	['a mover whose lock was removed', { orphans: [held('mover')] }, ['process_orphaned+']],
	['a repository mover whose lock was removed', { orphans: [held('mover', '')] }, ['process_orphaned+']],
	[
		'a repository mover whose lock was removed, and a recovery that may need it',
		{ ...directory(running), workflows: [workflow], orphans: [held('mover', '')], held: [held('mover')] },
		['process_orphaned'],
	],
	[
		'a machine whose lock was removed, with its mover',
		{ orphans: [held('mover'), held('machine')] },
		['process_orphaned', 'process_orphaned'],
	],
	['no supervisor, and nothing to look after', { supervisor: { state: 'down' } }, []],
	['a supervisor that does not answer', { supervisor: { state: 'silent', pid: 7 } }, ['supervisor_silent']],
	['a supervisor of another protocol', { supervisor: { state: 'answers', protocol: 99 } }, ['protocol_differs']],
	['a service of another checkout', { services: [{ name: 'x', pid: 7, other: '/y' }] }, ['service_differs']],
	['a pin of one that has ended here', { ...pins, ...ended }, ['pin_left+']],
	['the same while its workflow is open', { ...pins, ...ended, workflows: [workflow] }, []],
	['a pin of nobody known', pins, ['pin_unknown']],
	['a pin of a recovery of another host', pinsOf({ host: 'hv1', ended: false }), ['pin_unknown']],
	[
		'the same while its workflow is open',
		{ ...pinsOf({ host: 'hv1', ended: true }), workflows: [{ ...workflow, host: 'hv1' }] },
		[],
	],
	['the same when its unpin came to nothing', pinsOf({ host: 'hv1', ended: true }, 1_000), ['pin_left+']],
	['a damaged pin', damagedPin, ['pin_damaged']],
	['a damaged pin of one that has ended here', { ...damagedPin, ...ended }, ['pin_damaged+']],
	['the same while its workflow is open', { ...damagedPin, ...ended, workflows: [workflow] }, ['pin_damaged']],
	['a grant with a damaged pin', { ...granted, ...damagedPin }, ['pin_damaged']],
	['a grant of neither an open workflow nor a pin', granted, ['grant_left+']],
	['a grant with a pin', { ...granted, ...pinsOf({ host: 'hv1', ended: false }) }, ['pin_unknown']],
	['a grant while its workflow is open', { ...granted, workflows: [{ ...workflow, host: 'hv1' }] }, []],
	[
		'the same while the id of its recovery is not told',
		{ ...granted, workflows: [{ ...workflow, host: 'hv1', recoveryId: undefined }] },
		[],
	],
	['a grant while Temporal does not answer', { ...granted, workflows: undefined }, []],
	[
		'a grant that has just been given',
		{ ...granted, grants: granted.grants.map(one => ({ ...one, ageMs: 1_000 })) },
		[],
	],
	[
		'a grant for a repository that is away',
		{ ...granted, repositories: [{ directory: '/repo', pins: [], damagedPins: [], problem: 'away' }] },
		['repository_away'],
	],
	['a grant that may be of what cannot be read', { ...granted, ...directory(unreadable) }, ['recovery_unreadable']],
	["Temporal's clock ahead", { temporalClock: { lastPollMs: 9_000, nowMs: 2_000 } }, ['clock_skew']],
	[
		"Temporal's clock behind, while a worker asks for work",
		{
			temporalClock: { lastPollMs: 1_000, nowMs: 99_000 },
			services: [{ name: 'control-worker', pid: 7, other: undefined }],
		},
		['clock_skew'],
	],
	['no worker for long', { temporalClock: { lastPollMs: 1_000, nowMs: 99_000 } }, []],
	[
		'a pin that has just been set',
		{ repositories: [{ directory: '/repo', pins: [{ ...pin, ageMs: 1_000 }], damagedPins: [], problem: undefined }] },
		[],
	],
	['the same while Temporal does not answer', { ...pins, workflows: undefined }, ['pin_unknown']],
	['a pin that may be of what cannot be read', { ...pins, ...directory(unreadable) }, ['recovery_unreadable']],
	[
		'a repository that is away',
		{ repositories: [{ directory: '/repo', pins: [], damagedPins: [], problem: 'away' }] },
		['repository_away'],
	],
];

for (const [title, facts, expected] of cases)
	test(`\`findingsOf\` ${title}: ${expected.join(', ') || 'nothing'}`, () => {
		const findings = findingsOf({ ...calm, ...facts });
		assert.deepEqual(
			findings.map(({ code, fix }) => `${code}${fix ? '+' : ''}`),
			expected,
		);
		for (const { command } of findings) assert.notEqual(command, '');
	});

test('`findingsOf` what an import has left says what it costs, and that the next one takes it away', () => {
	const leftover = { what: 'snapshot snap-1', tag: id, since: null, costText: '0.05 USD a day', canDelete: true };
	const source = { name: 'web', leftovers: [leftover, { ...leftover, canDelete: false }], problem: undefined };
	const findings = findingsOf({
		...calm,
		sources: [source, { name: 'db', leftovers: [], problem: { message: 'it does not answer', ofConfig: false } }],
	});
	assert.deepEqual(
		findings.map(({ code, subject, command }) => [code, subject, command]),
		[
			['import_left_over', 'web', 'rouse backup start web'],
			['import_left_over', 'web', 'remove it where it is, by hand or with the tools of the platform'],
			['source_silent', 'db', 'rouse backup plan db'],
		],
	);
	assert.match(findings[0]?.explanation ?? '', /^import .* of web has left snapshot snap-1, .*; 0\.05 USD a day$/);
	const here = { ...leftover, what: '2.00 GiB of archives in /spool', since: '2026-11-20T03:00:00Z', costText: null };
	const [ofSpool] = findingsOf({ ...calm, sources: [{ ...source, leftovers: [here] }] });
	assert.match(
		ofSpool?.explanation ?? '',
		/left 2\.00 GiB of archives in \/spool \(there since 2026-11-20T03:00:00Z\)/,
	);
	assert.doesNotMatch(ofSpool?.explanation ?? '', /platform/);
});

test('`findingsOf` a host that is owed an undo says since when, and how it ends where the host is gone for good', () => {
	const [here] = findingsOf({ ...calm, owedUndos: [owedUndo] });
	assert.equal(here?.command, 'rouse up --detach');
	const [far] = findingsOf({ ...calm, owedUndos: [{ ...owedUndo, host: 'far' }] });
	assert.match(far?.explanation ?? '', /^r1 has left far, .* since 2026-11-20.*, for 1 h/);
	assert.match(far?.command ?? '', /rouse host remove far --forget --reason TEXT --confirm far$/);
});
