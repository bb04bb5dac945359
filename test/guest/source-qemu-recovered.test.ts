import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anew } from '../../hypervisors/conformance/bench.ts';
import { startedGuest } from '../../hypervisors/conformance/started-guest.ts';
import { SwitchRecord } from '../../hypervisors/conformance/switch-record.ts';
import { restoreTargets } from '../../hypervisors/conformance/targets.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { QemuMachineSource } from '../../sources/qemu/source.ts';
import { Driven } from '../equipment/machine-sources/driven.ts';
import { makeQemuBench } from '../equipment/qemu-bench.ts';

test('a machine that Rouse has recovered is a source when its disks are its own, and source_busy before', async t => {
	const bench = await makeQemuBench();
	t.after(() => bench.dispose());
	const guest = await startedGuest(bench);
	assert.ok(await guest.write());
	await restoreTargets(bench);
	const contents = async () => {
		const disks = bench.definition.disks.map(async (_disk, n) => [`vd${n}`, await bench.content(n)] as const);
		return new Map<string, Buffer>(await Promise.all(disks));
	};
	const { sockets } = machinePaths(bench.definition);
	const driven = new Driven({
		open: () => {
			bench.userGuest.close(); // of the machine's two monitors this one is the person's
			return new QemuMachineSource(`qemu+qmp://${sockets.qmp}`);
		},
		places: [],
		secrets: [],
		guest: { write: async () => {}, content: async key => (await contents()).get(key) ?? Buffer.alloc(0) },
		owner: {},
		fate: {},
		dispose: async () => {},
	});
	await assert.rejects(driven.begin(await driven.order()), { code: 'source_busy', hint: /recovery has finished/ });
	assert.deepEqual(await driven.leftovers(), []);
	await anew(bench, machine => machine.switchToTarget(new SwitchRecord(bench, guest)));
	const { moment, contents: then } = await driven.beginWith(await driven.order());
	assert.ok(await guest.write());
	await driven.mustRead(moment, then);
	await driven.abandon(moment);
	assert.deepEqual(await driven.leftovers(), []);
	await anew(bench, machine => machine.powerOff());
	await guest.checkContent();
});
