import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayChangeNetworks, networksOfHost } from '../../hypervisors/qemu/bridge-network.ts';

test('`networksOfHost` offers no bridges where no tap can be made, and says why', async () => {
	const { offered, withoutBridges } = await networksOfHost(async () => 'not root');
	assert.deepEqual([offered.map(({ name }) => name), withoutBridges], [['user'], 'not root']);
});

test('`mayChangeNetworks` is true of root, and false in a container that took that away', () => {
	const status = (effective: string) => `Name:\tnode\nCapPrm:\t000001ffffffffff\nCapEff:\t${effective}\n`;
	assert.equal(mayChangeNetworks(status('000001ffffffffff')), true);
	assert.equal(mayChangeNetworks(status('00000000a80425fb')), false); // Docker's default
	assert.equal(mayChangeNetworks(status('0000000000000000')), false);
});
