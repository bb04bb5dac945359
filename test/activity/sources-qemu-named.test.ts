/** Whether a running QEMU is a machine that Rouse is recovering, by more than how its disks are called. */
import { execFile } from 'node:child_process';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { QemuMachineSource } from '../../sources/qemu/source.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { Driven } from '../equipment/machine-sources/driven.ts';
import { SourceQemu } from '../equipment/source-qemu.ts';

for (const isOurs of [false, true])
	test(`a machine whose disks are called as those of a recovery is read, ${isOurs ? 'but for one that a supervisor runs' : 'whoever it is of'}`, async t => {
		const directory = await temporaryDirectory(t);
		const image = join(directory, 'disk');
		await promisify(execFile)('qemu-img', ['create', '-q', '-f', 'qcow2', image, '1M']);
		const nodes = JSON.stringify({ driver: 'qcow2', 'node-name': 'top0', file: { driver: 'file', filename: image } });
		const args = ['-m', '32', '-blockdev', nodes, '-device', 'virtio-blk-pci,id=vd0,drive=top0'];
		if (isOurs) args.push('-chardev', 'null,id=supervisor-monitor');
		const qemu = await SourceQemu.start(directory, { uuid: randomUUID(), args });
		t.after(() => qemu.kill());
		const driven = new Driven({
			open: () => new QemuMachineSource(`qemu+qmp://${join(directory, 'backup')}`),
			places: [],
			secrets: [],
			guest: { write: async () => {}, content: async () => Buffer.alloc(2 ** 20) },
			owner: {},
			fate: {},
			dispose: async () => {},
		});
		const order = await driven.order();
		if (isOurs) await assert.rejects(driven.begin(order), { code: 'source_busy', hint: /recovery has finished/ });
		else await driven.abandon(await driven.begin(order));
	});
