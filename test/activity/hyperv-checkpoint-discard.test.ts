/** A recovery with overlays by checkpoint that is discarded, on a simulated Hyper-V host. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { suite, test, type TestContext } from 'node:test';
import { anew } from '../../hypervisors/conformance/bench.ts';
import { targetReads } from '../../hypervisors/conformance/targets.ts';
import { attempt, heldAt, power, readiedHyperv } from '../equipment/hyperv-readied.ts';

const readied = (t: TestContext) => readiedHyperv(t, 'checkpoint');

suite('a machine with overlays by checkpoint', { concurrency: 2 }, () => {
	test('that is discarded while Windows merges it is off and says so, and leaves nothing when that is over', async t => {
		const state = await readied(t);
		const { bench } = state;
		const { faults } = bench.windows;
		faults.at('merge piece', { kind: 'hold' });
		await attempt(state);
		await heldAt(bench, 'merge piece');
		const remove = () => anew(bench, machine => machine.remove());
		await assert.rejects(remove, { code: 'hypervisor_failed', retry: 'transient', message: /Windows is merging/ });
		assert.equal(await power(bench), 'off');
		faults.release('merge piece');
		await bench.windows.untilMerged();
		await remove();
		await anew(bench, machine => machine.removeTargets());
		assert.deepEqual(await bench.filesOfHost(), []);
	});

	test('that is discarded when one of its files is missing leaves nothing', async t => {
		const state = await readied(t);
		const { bench, record } = state;
		record.at = async place => {
			if (place === 'switch.reparented') throw new Error('the supervisor dies');
		};
		await assert.rejects(attempt(state));
		const { definition, paths, hyperv } = bench;
		const [first] = definition.disks;
		assert.ok(first);
		await rm(hyperv.place(paths.windows.kept(first)));
		await anew(bench, machine => machine.remove());
		await anew(bench, machine => machine.removeTargets());
		assert.deepEqual(await bench.filesOfHost(), []);
	});

	test('that is discarded half-way through its switch leaves nothing, its targets and placeholders included', async t => {
		const state = await readied(t);
		const { bench, record } = state;
		record.at = async place => {
			if (place === 'switch.reparented-one') throw new Error('the supervisor dies');
		};
		await assert.rejects(attempt(state));
		await anew(bench, machine => machine.remove());
		for (const [disk, content] of bench.base.entries()) assert.deepEqual(await targetReads(bench, disk), content);
		await anew(bench, machine => machine.removeTargets());
		assert.deepEqual(await bench.filesOfHost(), []);
	});
});
