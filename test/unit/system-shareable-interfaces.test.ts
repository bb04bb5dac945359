import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { interfacesOfHost, kernelHasMacvtap } from '../../system/shareable-interfaces.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

test('`interfacesOfHost` tells that the loopback is no Ethernet interface', async () => {
	const loopback = (await interfacesOfHost()).find(({ name }) => name === 'lo');
	assert.deepEqual([loopback?.kind, loopback?.why], ['other', 'is no Ethernet interface']);
});

test('`kernelHasMacvtap` knows the driver in the kernel, a module that may be loaded, and none', async t => {
	const directory = await temporaryDirectory(t);
	const places = { sysClass: join(directory, 'class'), modules: join(directory, 'modules') };
	assert.equal(await kernelHasMacvtap(places), false);
	await mkdir(places.modules);
	await writeFile(join(places.modules, 'modules.dep'), 'kernel/drivers/net/macvlan.ko:\n');
	assert.equal(await kernelHasMacvtap(places), false);
	await writeFile(
		join(places.modules, 'modules.dep'),
		'kernel/drivers/net/macvtap.ko.zst: kernel/drivers/net/tap.ko.zst\n',
	);
	assert.equal(await kernelHasMacvtap(places), true);
	await mkdir(join(places.sysClass, 'macvtap'), { recursive: true });
	await writeFile(join(places.modules, 'modules.dep'), '');
	assert.equal(await kernelHasMacvtap(places), true);
});
