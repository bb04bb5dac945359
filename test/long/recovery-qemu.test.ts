import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { GuestConsole } from '../../cli/demo/console.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { guestImage, mustRecoverLive } from '../equipment/live-guest.ts';
import { SourceQemu } from '../equipment/source-qemu.ts';

test('by commands: a live machine that goes on writing is backed up thrice, and its recovery has all it had written before', async t => {
	const directory = await temporaryDirectory(t);
	const image = await guestImage(directory);
	const socket = join(directory, 'console');
	const args = [
		['-cpu', 'max,erms=off,fsrm=off', '-m', '256'],
		['-chardev', `socket,id=console,path=${socket},server=on,wait=off`, '-device', 'isa-serial,chardev=console'],
		['-blockdev', `driver=qcow2,node-name=root,discard=unmap,file.driver=file,file.filename=${image}`],
		['-device', 'virtio-blk-pci,drive=root,id=root,bootindex=0'],
	].flat();
	const qemu = await SourceQemu.start(directory, { uuid: randomUUID(), args, runs: true });
	t.after(() => qemu.kill());
	const live = await GuestConsole.open(socket);
	t.after(() => live.close());
	await mustRecoverLive(t, { uri: `qemu+qmp://${join(directory, 'backup')}`, live });
	assert.deepEqual(
		(await readdir(directory)).filter(name => name.startsWith('rouse-')),
		[],
	);
});
