import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { GuestConsole } from '../../cli/demo/console.ts';
import { guestImage, mustRecoverLive } from '../equipment/live-guest.ts';
import { Libvirt } from '../equipment/source-libvirt.ts';

test('by commands: a domain that goes on writing is backed up thrice, and its recovery has all it had written before', async t => {
	const libvirt = await Libvirt.start();
	t.after(() => libvirt.stop());
	const directory = join(libvirt.directory, 'guest');
	await mkdir(directory);
	await chmod(directory, 0o755);
	const sockets = join(libvirt.directory, 'sockets');
	await mkdir(sockets);
	await libvirt.give(sockets);
	const image = await guestImage(directory);
	await libvirt.give(image);
	const socket = join(sockets, 'console');
	const features = ['erms', 'fsrm'].map(name => `<feature policy='disable' name='${name}'/>`);
	const domain = [
		"<domain type='qemu'><name>guest</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>",
		`<cpu mode='maximum'>${features.join('')}</cpu><os><type arch='x86_64' machine='pc'>hvm</type></os>`,
		"<features><acpi/></features><devices><disk type='file' device='disk'>",
		`<driver name='qemu' type='qcow2' discard='unmap'/><source file='${image}'/><target dev='vda' bus='virtio'/></disk>`,
		`<serial type='unix'><source mode='bind' path='${socket}'/><target port='0'/></serial>`,
		"<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>",
	];
	const file = join(directory, 'domain.xml');
	await writeFile(file, domain.join(''));
	await libvirt.virsh('define', file);
	await libvirt.virsh('start', 'guest');
	const live = await GuestConsole.open(socket);
	t.after(() => live.close());
	await mustRecoverLive(t, { uri: `libvirt://guest?connect=${libvirt.connect}`, live });
	assert.deepEqual(
		(await readdir(directory)).filter(name => name.startsWith('rouse-')),
		[],
	);
	assert.equal((await libvirt.virsh('checkpoint-list', 'guest', '--name')).trim().split('\n').length, 1);
});
