/** `create-machine` of the simulated Windows host, cut off at each of its writes: the next one carries it on. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { RequestOf } from '../../hypervisors/hyperv/driver/requests.ts';
import { SessionDropped } from '../../hypervisors/hyperv/simulator/faults.ts';
import { folder, type SampleHost, sampleHost } from '../equipment/windows-host.ts';

const nics = [
	{ name: 'nic0', mac: '52:54:00:00:00:01', switchName: 'lan' },
	{ name: 'nic1', mac: '52:54:00:00:00:02', switchName: null },
];

const request = (recoveryId: string): RequestOf<'create-machine'> => ({
	recoveryId,
	name: 'web01',
	directory: `${folder}-${recoveryId}`,
	generation: 2,
	memoryMiB: 1024,
	processors: 2,
	secureBoot: 'Off',
	nics,
	pipe: `\\\\.\\pipe\\rouse-${recoveryId}`,
});

const writes = [
	['New-VM', 1],
	['Set-VM', 1],
	['Set-VMMemory', 1],
	['Set-VMProcessor', 1],
	['Set-VMComPort', 1],
	['Set-VMFirmware', 1],
	['Remove-VMNetworkAdapter', 1],
	['Add-VMNetworkAdapter', 1],
	['Add-VMNetworkAdapter', 2],
	['Set-VM', 2],
] as const;

const ofRecovery = ({ host }: SampleHost, recoveryId: string) =>
	host.parts.state.vms.filter(({ directory }) => directory.endsWith(recoveryId));

for (const kind of ['drop', 'power-loss'] as const)
	test(`a machine whose making was cut off has in the end what was asked for, and each NIC once: ${kind}`, async t => {
		const sample = await sampleHost(t);
		for (const [write, time] of writes)
			for (const point of [write, `${write} done`]) {
				const recoveryId = randomUUID();
				const { faults } = sample.host;
				faults.at(point, { kind: 'delay', ms: 0 }, { times: time - 1 });
				faults.at(point, { kind });
				await assert.rejects(sample.ask('create-machine', request(recoveryId)), SessionDropped, point);
				if (kind === 'power-loss') await sample.boot();
				await sample.must('create-machine', request(recoveryId));
				const made = ofRecovery(sample, recoveryId);
				assert.equal(made.length, 1, point);
				const [vm] = made;
				assert.deepEqual(vm?.nics, nics, point);
				assert.deepEqual(
					[vm.name, vm.memoryMiB, vm.processors, vm.secureBoot, vm.pipe, vm.automaticStart],
					['web01', 1024, 2, 'Off', request(recoveryId).pipe, 'Nothing'],
					point,
				);
				// One that is whole is left as it is.
				vm.nics = [];
				await sample.must('create-machine', request(recoveryId));
				assert.deepEqual(ofRecovery(sample, recoveryId)[0]?.nics, [], point);
			}
	});
