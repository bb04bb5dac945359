import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CheckResult, SelftestReport } from '../../model/selftest.ts';
import { hastyTimes, type SelftestHost, selftestHost } from '../equipment/selftest-host.ts';

/** What no self test tries by itself. */
const byHand = ['host-boots-anew'];

const overlayOf = ({ settings }: SelftestReport) => settings.find(({ what }) => what === 'overlay')?.chosen;

function named({ checks }: SelftestReport, outcome: CheckResult['outcome']): string[] {
	return checks.filter(check => check.outcome === outcome).map(({ name }) => name);
}

function seen({ checks }: SelftestReport, name: string): CheckResult {
	const found = checks.find(check => check.name === name);
	assert.ok(found, name);
	return found;
}

/** Calls `act` when the result of a check is there. */
const after = (name: string, act: () => void) => ({
	tell: (check: CheckResult) => {
		if (check.name === name) act();
	},
});

const nothing = async ({ leftovers }: SelftestHost) => assert.deepEqual(await leftovers(), []);

test('a self test of a host that is as expected says so of every check, and leaves nothing', async t => {
	const sample = await selftestHost(t);
	const report = await sample.run({ long: true });
	assert.deepEqual(named(report, 'otherwise'), []);
	assert.deepEqual(named(report, 'not_tried'), byHand);
	assert.equal(report.interrupted, false);
	const { pages } = seen(report, 'targets-attached').facts;
	assert.match(JSON.stringify(pages), /4d73667420202020/, 'the vendor Msft stands in page 83');
	const { boots, rounds } = seen(report, 'guest-undisturbed').facts;
	assert.equal(boots, 1);
	assert.ok(Number(rounds) > 0);
	assert.equal(overlayOf(report), 'checkpoint');
	await nothing(sample);
});

test('a host that merges a checkpoint into another file is told where, gets overlays as children, and is left without that file', async t => {
	const sample = await selftestHost(t);
	sample.host.faults.change({ checkpointsMergeElsewhere: true });
	const report = await sample.run();
	assert.deepEqual(named(report, 'otherwise'), ['checkpoint-merged', 'checkpoint-content']);
	assert.match(seen(report, 'checkpoint-merged').seen, /[\da-f]{8}-[\da-f-]{27}\.vhdx/);
	assert.equal(overlayOf(report), 'child');
	await nothing(sample);
});

test('a host that starts no machine whose overlay stands on another file than its checkpoint was made of is told with the HRESULT', async t => {
	const sample = await selftestHost(t);
	const breakIt = () => sample.host.faults.at('Start-VM', { kind: 'fail', rule: 'parentNotFound' });
	const report = await sample.run(after('guest-undisturbed', breakIt));
	assert.deepEqual(named(report, 'otherwise'), ['checkpoint-starts']);
	assert.equal(seen(report, 'checkpoint-starts').hresult, '0xC03A000D');
	assert.equal(overlayOf(report), 'child');
	await nothing(sample);
});

test('a saved guest that does not go on after its disks have other parents is told with the HRESULT, and merged all the same', async t => {
	const sample = await selftestHost(t);
	const breakIt = () => sample.host.faults.change({ savedStateUnusable: true });
	const report = await sample.run(after('target-away', breakIt));
	assert.deepEqual(named(report, 'otherwise'), ['switched']);
	assert.equal(overlayOf(report), 'child');
	assert.equal(seen(report, 'switched').hresult, '0x80004005');
	assert.equal(seen(report, 'content-kept').outcome, 'as_expected');
	await nothing(sample);
});

test('a saved guest that never goes on is told, and the rest is tried with one that is started anew', async t => {
	const sample = await selftestHost(t);
	sample.host.faults.change({ savedStateUnusable: true });
	const report = await sample.run();
	assert.deepEqual(named(report, 'otherwise'), ['saved-and-resumed', 'switched']);
	assert.equal(seen(report, 'guest-undisturbed').facts['boots'], 2);
	await nothing(sample);
});

test('a guest that stands still, and goes on only when it is told to, is told so', async t => {
	const sample = await selftestHost(t, { patienceMs: 2_000 });
	sample.host.faults.change({ resumesByItself: false });
	const enough = new AbortController();
	const report = await sample.run({
		times: { ...hastyTimes, awayMs: 4_000, goesOnMs: 5_000 },
		signal: enough.signal,
		...after('target-away', () => enough.abort()),
	});
	const { outcome, facts } = seen(report, 'target-away');
	assert.deepEqual([outcome, facts['goesOnBy']], ['otherwise', 'order']);
	assert.match(JSON.stringify(facts['timeline']), /PausedCritical/);
	await nothing(sample);
});

test("a file that the machine's account may not open is told of the start and of the parent", async t => {
	const sample = await selftestHost(t);
	const deny = () => sample.host.faults.change({ deniedPaths: [sample.folder()] });
	const report = await sample.run(after('overlays-made', deny));
	assert.deepEqual(named(report, 'otherwise'), ['machine-runs', 'parent-opened']);
	assert.equal(seen(report, 'parent-opened').hresult, '0x80070005');
	assert.match(seen(report, 'switched').seen, /begins where machine-runs ends/);
	await nothing(sample);
});

test('a datastore that is full when the disks are made leaves nothing to be tried with them', async t => {
	const sample = await selftestHost(t);
	sample.host.faults.at('New-VHD', { kind: 'fail', rule: 'diskFull' });
	const report = await sample.run();
	assert.deepEqual(named(report, 'otherwise'), ['targets-made']);
	assert.equal(seen(report, 'targets-made').hresult, '0x80070070');
	assert.deepEqual(named(report, 'as_expected'), [
		'driver-answers',
		'driver-modules',
		'driver-cmdlets',
		'nothing-left',
	]);
	await nothing(sample);
});

test('a host that does not answer is told once, and nothing is left to be removed', async t => {
	const sample = await selftestHost(t);
	sample.host.faults.at('op hello', { kind: 'drop' });
	const report = await sample.run();
	assert.deepEqual(named(report, 'otherwise'), ['driver-answers']);
	assert.deepEqual(named(report, 'as_expected'), ['nothing-left']);
	assert.deepEqual(sample.asked, ['hello']);
	await nothing(sample);
});

test('a session that drops in the pause of the switch is told, and what it has half done is removed', async t => {
	const sample = await selftestHost(t);
	sample.host.faults.at('Set-VHD done', { kind: 'drop' });
	const report = await sample.run();
	assert.deepEqual(named(report, 'otherwise'), ['switched']);
	assert.match(seen(report, 'merged').seen, /begins where switched ends/);
	await nothing(sample);
});

test('a self test that is interrupted removes what it has made', async t => {
	const sample = await selftestHost(t);
	const interrupt = new AbortController();
	const trying = (name: string) => {
		if (name === 'reads-held') setTimeout(() => interrupt.abort(new Error('Ctrl-C')), 30);
	};
	const report = await sample.run({ signal: interrupt.signal, trying });
	assert.equal(report.interrupted, true);
	assert.equal(seen(report, 'saved-and-resumed').outcome, 'as_expected');
	assert.match(seen(report, 'reads-held').seen, /interrupted/);
	assert.match(seen(report, 'switched').seen, /interrupted/);
	await nothing(sample);
});

test('what a self test could not remove is said, and removed by the next one before it makes anything', async t => {
	const sample = await selftestHost(t);
	const { faults } = sample.host;
	faults.at('op remove-machine', { kind: 'drop' }, { times: 99 });
	const report = await sample.run();
	assert.equal(seen(report, 'nothing-left').outcome, 'otherwise');
	assert.notDeepEqual(report.left, []);
	assert.notDeepEqual(await sample.leftovers(), []);
	faults.mend();
	sample.asked.length = 0;
	const next = await sample.run();
	assert.deepEqual(named(next, 'otherwise'), []);
	assert.ok(sample.asked.indexOf('remove-machine') < sample.asked.indexOf('create-machine'));
	await nothing(sample);
});
