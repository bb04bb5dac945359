import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { networksOfHost } from '../../hypervisors/qemu/host-networks.ts';
import type { HostInterface } from '../../system/shareable-interfaces.ts';

const nothing = { bridge: undefined, macvtap: undefined };
const plain = { master: undefined, masterIsBridge: false, why: '' };
const around: HostInterface[] = [
	{ ...plain, name: 'br0', kind: 'bridge' },
	{ ...plain, name: 'eth0', kind: 'shareable' },
	{ name: 'eth1', kind: 'other', master: 'br0', masterIsBridge: true, why: 'is a part of br0' },
	{ name: 'eth2', kind: 'other', master: 'bond0', masterIsBridge: false, why: 'is a part of bond0' },
	{ ...plain, name: 'wlan0', kind: 'other', why: 'is wireless' },
];
const looking = async (missing: Parameters<typeof networksOfHost>[0]) => {
	const { offered, ...rest } = await networksOfHost(missing, async () => around);
	return { ...rest, offered: offered.map(({ name }) => name) };
};

suite('`networksOfHost`', () => {
	test('offers each bridge, and a macvtap on each interface that is part of none', async () => {
		const { offered, missing } = await looking(async () => nothing);
		assert.deepEqual([offered, missing], [['user', 'isolated', 'bridge:br0', 'macvtap:eth0'], undefined]);
	});

	test('says of an interface that was asked for in the wrong way what it is, and the right one', async () => {
		const { instead } = await looking(async () => nothing);
		assert.deepEqual(instead, {
			'macvtap:br0': 'br0 is a bridge: bridge:br0',
			'bridge:eth0': 'eth0 is no bridge: macvtap:eth0',
			'macvtap:eth1': 'eth1 is a port of the bridge br0: bridge:br0',
			'bridge:eth1': 'eth1 is a port of the bridge br0: bridge:br0',
			'macvtap:eth2': 'eth2 is a part of bond0',
			'bridge:eth2': 'eth2 is no bridge, and is a part of bond0',
			'macvtap:wlan0': 'wlan0 is wireless',
			'bridge:wlan0': 'wlan0 is no bridge, and is wireless',
		});
	});

	test('offers neither where no interface can be made, says why once, and names none of them instead', async () => {
		const { offered, missing, instead } = await looking(async () => ({ bridge: 'not root', macvtap: 'not root' }));
		assert.deepEqual(
			[offered, missing, instead['bridge:eth0']],
			[['user', 'isolated'], 'not root', 'eth0 is no bridge'],
		);
	});

	test('offers bridges alone where the kernel has no macvtap', async () => {
		const { offered, missing, instead } = await looking(async () => ({ ...nothing, macvtap: 'no driver' }));
		assert.deepEqual(
			[offered, missing, instead['bridge:eth0']],
			[['user', 'isolated', 'bridge:br0'], 'no driver', 'eth0 is no bridge'],
		);
	});
});
