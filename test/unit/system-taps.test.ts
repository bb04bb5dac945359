import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aliasOf, tapCommands, tapName } from '../../system/taps.ts';

const recoveryId = '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d';

test('`tapName` fits into the name of an interface for every NIC that a machine may have', () => {
	assert.equal(tapName(recoveryId, 0), 'rouse0b9c3f520');
	assert.ok(tapName(recoveryId, 63).length <= 15);
});

test('`tapCommands` give the tap an address and an MTU that change nothing of the bridge, before it joins', () => {
	const tap = {
		name: 'rouse0',
		kind: 'bridge',
		owner: 1234,
		on: 'br0',
		mac: '52:54:00:00:00:01',
		directory: '/home/r1',
	} as const;
	assert.deepEqual(
		tapCommands(tap, '9000').map(words => words.join(' ')),
		[
			'ip tuntap add dev rouse0 mode tap user 1234',
			'ip link set dev rouse0 address fe:54:00:00:00:01 mtu 9000 alias /home/r1',
			'ip link set dev rouse0 master br0 up',
		],
	);
	const [, high] = tapCommands({ ...tap, mac: 'fe:54:00:00:00:01' }, '1500');
	assert.ok(high?.includes('fa:54:00:00:00:01'), 'a bridge takes the NIC for the host when both have one address');
});

test('`aliasOf` tells any two directories of machines apart, however long they are', () => {
	assert.equal(aliasOf('/home/r1'), '/home/r1');
	const long = (end: string) => aliasOf(`/${'x'.repeat(300)}${end}`);
	assert.notEqual(long('1'), long('2'));
	assert.ok(long('1').length <= 255);
});

test('`tapCommands` give a macvtap the address of its NIC, and the host no IPv6 address made of it', () => {
	const mac = '52:54:00:00:00:01';
	const tap = { name: 'rouse0', kind: 'macvtap', owner: 1234, on: 'eth0', mac, directory: '/home/r1' } as const;
	const [add = [], ipv6 = [], up = []] = tapCommands(tap, '1500');
	assert.equal(add.join(' '), `ip link add link eth0 name rouse0 address ${mac} type macvtap mode bridge`);
	assert.equal(ipv6.at(-1), '/proc/sys/net/ipv6/conf/rouse0/disable_ipv6');
	assert.equal(up.join(' '), 'ip link set dev rouse0 alias /home/r1 allmulticast on up');
});
