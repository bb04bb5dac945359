import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { machineSpecSchema } from '../../model/machine.ts';
import { decideConfig, defaultSpec, readMachineSpec } from '../../sources/machine-spec.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const spec = (given: object) => machineSpecSchema.parse(given);

async function specFile(t: TestContext, text: string): Promise<string> {
	const path = join(await temporaryDirectory(t), 'spec.yaml');
	await writeFile(path, text);
	return path;
}

test('without a spec a machine has 2 CPUs, 4 GiB, one NIC, virtio, and the firmware its disks ask for', () => {
	const config = decideConfig(defaultSpec, 'web01', 'efi');
	assert.partialDeepStrictEqual(config, {
		cpus: 2,
		memoryMiB: 4096,
		firmware: 'efi',
		diskBus: 'virtio',
		nicModel: 'virtio',
		os: 'linux',
	});
	assert.equal(config.nics.length, 1);
});

test('a derived MAC is the same at every import, locally administered, and another for every machine and NIC', () => {
	const macs = (machine: string) => decideConfig(spec({ nics: [{}, {}] }), machine, 'bios').nics.map(({ mac }) => mac);
	assert.deepEqual(macs('web01'), macs('web01'));
	const all = [...macs('web01'), ...macs('web02')];
	assert.equal(new Set(all).size, 4);
	for (const mac of all) assert.match(mac, /^52:54:00(:[0-9a-f]{2}){3}$/);
});

test('the firmware of the spec wins over that of the disks', () => {
	assert.equal(decideConfig(spec({ firmware: 'bios' }), 'web01', 'efi').firmware, 'bios');
});

test('Windows without virtio drivers gets SATA and e1000e, with them virtio', () => {
	const windows = decideConfig(spec({ os: 'windows' }), 'win', 'efi');
	assert.deepEqual([windows.diskBus, windows.nicModel], ['sata', 'e1000e']);
	const equipped = decideConfig(spec({ os: 'windows', drivers: 'virtio' }), 'win', 'efi');
	assert.deepEqual([equipped.diskBus, equipped.nicModel], ['virtio', 'virtio']);
	assert.equal(decideConfig(spec({ diskBus: 'sata' }), 'old', 'bios').diskBus, 'sata');
});

test('a MAC that no NIC can have, or that is there twice, is refused with its place', () => {
	const decide = (...macs: string[]) => decideConfig(spec({ nics: macs.map(mac => ({ mac })) }), 'web01', 'bios');
	assert.throws(() => decide('01:00:5e:00:00:01'), { code: 'spec_invalid', message: /nics\.0\.mac: .*multicast/ });
	assert.throws(() => decide('52:54:00:00:00:01', '52:54:00:00:00:01'), {
		code: 'spec_invalid',
		message: /nics\.1\.mac: .*twice/,
	});
});

test('an unknown field of a spec is named with its line and column', async t => {
	const path = await specFile(t, 'cpus: 4\nnics:\n  - network: lan\n    speed: 10\n');
	await assert.rejects(readMachineSpec(path), { code: 'spec_invalid', message: /spec\.yaml:4:5: nics\.0\.speed/ });
});

test('a whole spec is read', async t => {
	const path = await specFile(
		t,
		'cpus: 4\nmemoryMiB: 512\nfirmware: efi\nnics:\n  - mac: 52:54:00:AB:cd:ef\n    network: lan\ndiskBus: sata\n',
	);
	assert.deepEqual(decideConfig(await readMachineSpec(path), 'web01', 'bios'), {
		cpus: 4,
		memoryMiB: 512,
		firmware: 'efi',
		nics: [{ mac: '52:54:00:ab:cd:ef', network: 'lan' }],
		diskBus: 'sata',
		nicModel: 'virtio',
		os: 'linux',
	});
});

test('a spec that is not there is named', async t => {
	await assert.rejects(readMachineSpec(join(await temporaryDirectory(t), 'none.yaml')), {
		code: 'spec_invalid',
		message: /none\.yaml/,
	});
});
