/** What of a machine on a simulated Hyper-V host goes through the gate of its mount mover. */
import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import { gateOf } from '../../hypervisors/conformance/bench.ts';
import { GuestModel } from '../../hypervisors/conformance/guest-model.ts';
import { startedGuest } from '../../hypervisors/conformance/started-guest.ts';
import { SwitchRecord } from '../../hypervisors/conformance/switch-record.ts';
import { restoreTargets } from '../../hypervisors/conformance/targets.ts';
import type { MoverGate } from '../../hypervisors/contract.ts';
import { waitFor } from '../../system/wait.ts';
import { type HypervBench, makeHypervBench } from '../equipment/hyperv-bench.ts';

async function made(t: TestContext): Promise<HypervBench> {
	const bench = await makeHypervBench({ patienceMs: 500 });
	t.after(() => bench.dispose());
	return bench;
}

/** Of a mover that lives as long as somebody keeps it alive. */
function mortal(bench: HypervBench): MoverGate {
	return {
		...gateOf(bench),
		pass: async work => {
			await bench.mover.start();
			try {
				return await work();
			} finally {
				await bench.mover.stop();
			}
		},
		reopen: async () => undefined,
	};
}

suite('the gate of a machine on Hyper-V', { concurrency: 2 }, () => {
	test('keeps the mount mover alive while Windows reads the volume for a snapshot, a start, a reset and the way back', async t => {
		const bench = await made(t);
		const guest = new GuestModel(bench);
		const machine = bench.platform.machine(bench.definition, mortal(bench));
		const runsOn = async () => {
			await bench.mover.start();
			assert.equal((await machine.observe()).power, 'on');
			assert.ok(await guest.write(), 'the guest does not run');
			await guest.checkInGuest();
		};
		await machine.makeTargets();
		await machine.create();
		await machine.presentBase();
		await machine.snapshot();
		await machine.snapshot();
		await machine.powerOn('mover');
		await runsOn();
		const { recoveryId } = bench.definition;
		await bench.hyperv.driver.ask('power', { recoveryId, action: 'save' });
		await bench.mover.stop();
		await machine.reset();
		await runsOn();
		await restoreTargets(bench);
		const record = new SwitchRecord(bench, guest);
		record.at = async place => {
			if (place === 'switch.reparented-one')
				bench.windows.faults.at('Set-VHD', { kind: 'hresult', hresult: '0x80070020' });
		};
		await assert.rejects(machine.switchToTarget(record), { message: /^(?!.*stands still)/s });
		await runsOn();
	});

	for (const call of ['powerOff', 'remove'] as const)
		test(`fails what waits when a machine does not end by itself, by \`${call}\``, async t => {
			const bench = await made(t);
			await startedGuest(bench);
			bench.windows.faults.at('Stop-VM', { kind: 'hold' });
			const ends = async () => bench.windows.faults.heldAt('Stop-VM') > 0;
			const machine = bench.platform.machine(bench.definition, {
				...gateOf(bench),
				pass: async (work, { patienceMs }) => {
					const working = work();
					if (patienceMs !== undefined) {
						assert.ok(patienceMs <= 10_000);
						await waitFor('the machine to wait', ends, { timeoutMs: 30_000 });
						bench.windows.faults.release('Stop-VM');
					}
					return working;
				},
			});
			await machine[call]({ signal: AbortSignal.timeout(20_000) });
			assert.equal((await machine.observe()).power, 'off');
		});
});
