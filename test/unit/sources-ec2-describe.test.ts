import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { sourceMachineSchema } from '../../sources/machine/documents.ts';
import { parseEc2Uri } from '../../sources/ec2/address.ts';
import { costOf } from '../../sources/ec2/cost.ts';
import { Ec2MachineSource } from '../../sources/ec2/source.ts';
import { clockOf, region, sampleRegion } from '../equipment/ec2/bench.ts';
import { MemoryCloud } from '../equipment/ec2/memory-cloud.ts';

const { signal } = new AbortController();
const tib = 2 ** 40;

function site() {
	const { of, instanceId, volumes } = sampleRegion();
	const source = new Ec2MachineSource({ region, instanceId }, new MemoryCloud(of), { clock: clockOf(of) });
	return { of, instance: of.instance(instanceId), volumes, source, describe: () => source.describe(signal) };
}

suite('an EC2 instance', () => {
	test('is described with its root device first, and what its type has', async () => {
		const { describe, instance, volumes } = site();
		const said = sourceMachineSchema.parse(await describe());
		assert.deepEqual(
			said.disks.map(({ key, slot, serial }) => ({ key, slot, serial })),
			[
				{ key: volumes[0], slot: '/dev/xvda', serial: volumes[0].replace('-', '') },
				{ key: volumes[1], slot: '/dev/sdf', serial: volumes[1].replace('-', '') },
			],
		);
		assert.deepEqual(said.config, {
			cpus: 2,
			memoryMiB: 8192,
			firmware: 'efi',
			nics: [{ mac: '0a:11:22:33:44:55', network: 'subnet-00000000000000001' }],
			drivers: ['nvme'],
		});
		assert.deepEqual(
			[said.identity, said.name, said.uri],
			[instance.instanceId, 'web01', `ec2://${region}/${instance.instanceId}`],
		);
		assert.equal(said.ids['account'], '123456789012');
	});

	test('has its volumes in the order of their names, as a guest counts them', async () => {
		const { describe, of, instance } = site();
		for (const device of ['/dev/xvdaa', '/dev/xvdb', '/dev/xvdc']) of.attach(instance.instanceId, device, 512 * 1024);
		assert.deepEqual(
			(await describe()).disks.map(({ slot }) => slot),
			['/dev/xvda', '/dev/sdf', '/dev/xvdb', '/dev/xvdc', '/dev/xvdaa'],
		);
	});

	test('tells nothing that is not known', async () => {
		const { describe, of, instance } = site();
		of.types.clear();
		Object.assign(instance, {
			state: 'stopped',
			bootMode: null,
			nics: [{ mac: 'no mac', subnet: null, card: 0, index: 0 }],
		});
		const { config, disks } = sourceMachineSchema.parse(await describe());
		assert.deepEqual(config, { nics: [{ network: 'default' }] });
		assert.equal(disks[0]?.serial, null);
	});

	test('with more than a recovery can have is told with as much as it can', async () => {
		const { describe, of, instance } = site();
		of.types.set(instance.type, { cpus: 448, memoryMiB: 25_165_824, hypervisor: 'nitro', instanceStoreGB: 900 });
		const nic = (index: number) => ({ mac: `0a:00:00:00:00:0${index}`, subnet: 'subnet-1', card: 0, index });
		instance.nics = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map(nic);
		instance.name = `web\u0007${'x'.repeat(300)}`;
		const { config, leftOut, name } = sourceMachineSchema.parse(await describe());
		assert.deepEqual([config.cpus, config.memoryMiB, config.nics?.length], [256, 4_194_304, 8]);
		assert.equal(config.nics?.[0]?.mac, '0a:00:00:00:00:00');
		assert.match(leftOut[0]?.what ?? '', /900 GB/);
		assert.ok(name.startsWith('web?xxx'));
	});

	test('whose options leave out processors has those that are left', async () => {
		const { describe, instance } = site();
		instance.cpus = 1;
		assert.equal((await describe()).config.cpus, 1);
	});

	test('of another processor is planned with a warning', async () => {
		const { source, instance, describe } = site();
		instance.architecture = 'arm64';
		const { warnings, cost } = await source.plan(await describe(), null, signal);
		assert.match(warnings.join(), /arm64/);
		assert.match(cost ?? '', /6\.29 USD per TiB/);
	});

	test('without a volume, or that is terminated, is none that can be read', async () => {
		const { describe, instance } = site();
		instance.volumes = [];
		await assert.rejects(describe(), { code: 'source_invalid' });
		instance.state = 'terminated';
		await assert.rejects(describe(), { code: 'machine_unknown' });
	});

	test('costs by what is read whole', () => {
		const disks = [disk('vol-1', tib), disk('vol-2', 2 * tib)];
		const reads = (...how: ('all' | 'changes')[]) => ({
			disks: how.map((one, number) => ({ key: `vol-${number + 1}`, reads: one, why: null })),
		});
		assert.match(costOf({ disks }, reads('all', 'all'), { keeps: true }), /at most 19 USD for whole disks/);
		assert.match(costOf({ disks }, reads('changes', 'changes'), { keeps: true }), /per TiB of what has changed/);
		assert.ok(costOf({ disks: [disk('vol-1', 64 * 1024 * tib)] }, reads('all'), { keeps: true }).length <= 200);
	});

	for (const uri of [
		'ec2://eu-central-1',
		'ec2://eu-central-1/web01',
		'ec2://key:secret@eu-central-1/i-0123456789abcdef0',
		'ec2://eu-central-1/i-0123456789abcdef0?token=secret',
		'ec2://Frankfurt/i-0123456789abcdef0',
	])
		test(`has no address like ${uri}, and what is wrong with it does not repeat it`, () => {
			assert.throws(
				() => parseEc2Uri(uri),
				(error: Error & { code?: string }) => error.code === 'config_invalid' && !error.message.includes('secret'),
			);
		});

	test('has addresses of all regions', () => {
		for (const name of ['eu-central-1', 'us-gov-west-1', 'ap-southeast-7', 'us-iso-east-1', 'eusc-de-east-1'])
			assert.equal(parseEc2Uri(`ec2://${name}/i-0123456789abcdef0`).region, name);
	});
});

function disk(key: string, sizeBytes: number) {
	return { key, sizeBytes, slot: null, serial: null, sectors: null };
}
