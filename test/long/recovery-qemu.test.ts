import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as z from 'zod';
import { GuestConsole } from '../../cli/demo/console.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { EmbeddedInstallation, shownSchema } from '../equipment/embedded-installation.ts';
import { SourceQemu } from '../equipment/source-qemu.ts';

const run = promisify(execFile);
const build = fileURLToPath(new URL('../../tools/guest/build', import.meta.url));
const soon = { timeoutMs: 120_000 };
const importedSchema = z.looseObject({
	outcome: z.literal('imported'),
	consistency: z.literal('crash'),
	disks: z.array(z.looseObject({ reads: z.enum(['changes', 'all']) })),
	warnings: z.array(z.string()),
});

/** The demonstration's guest on a qcow2 image, in a QEMU that Rouse knows by its monitor alone. */
async function guestOf(t: TestContext, directory: string): Promise<{ qemu: SourceQemu; console: GuestConsole }> {
	const [raw, image] = ['guest.raw', 'guest.qcow2'].map(name => join(directory, name));
	await run(build, ['--size', '256', raw ?? '']);
	await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw ?? '', image ?? '']);
	const socket = join(directory, 'console');
	const args = [
		['-cpu', 'max,erms=off,fsrm=off', '-m', '256'],
		['-chardev', `socket,id=console,path=${socket},server=on,wait=off`, '-device', 'isa-serial,chardev=console'],
		['-blockdev', `driver=qcow2,node-name=root,discard=unmap,file.driver=file,file.filename=${image}`],
		['-device', 'virtio-blk-pci,drive=root,id=root,bootindex=0'],
	].flat();
	const qemu = await SourceQemu.start(directory, { uuid: randomUUID(), args, runs: true });
	t.after(() => qemu.kill());
	const console = await GuestConsole.open(socket);
	t.after(() => console.close());
	return { qemu, console };
}

async function filesOf(console: GuestConsole): Promise<number> {
	const [, files] = await console.command('count', /^count (\d+)$/, soon);
	return Number(files);
}

test('by commands: a live machine that goes on writing is backed up thrice, and its recovery has all it had written before', async t => {
	const directory = await temporaryDirectory(t);
	const { console: live } = await guestOf(t, directory);
	const uri = `qemu+qmp://${join(directory, 'backup')}`;
	const here = await EmbeddedInstallation.up(t, `sources: ${JSON.stringify({ web01: { uri } })}\n`);
	await live.ready(soon);
	await live.command('start', /^started$/, soon);
	const reads: (string | undefined)[] = [];
	let written = 0;
	for (let round = 0; round < 3; round++) {
		const before = written;
		do written = await filesOf(live);
		while (written < before + 8);
		const imported = importedSchema.parse(await here.answer('backup', 'start', 'web01', '--wait'));
		assert.deepEqual(imported.warnings, []);
		reads.push(imported.disks[0]?.reads);
	}
	assert.deepEqual(reads, ['all', 'changes', 'changes']);
	assert.deepEqual(
		(await readdir(directory)).filter(name => name.startsWith('rouse-')),
		[],
	);
	const more = await filesOf(live);
	assert.ok(more > written, 'the live machine has gone on');
	const running = shownSchema.parse(await here.answer('recover', 'start', 'web01@latest', '--reason', 'test'));
	const recovered = await GuestConsole.open(running.consoleSocket ?? '');
	try {
		await recovered.ready(soon);
		const [, ok, bad] = await recovered.command('verify', /^ok (\d+) bad (\d+)$/, soon);
		assert.equal(bad, '0');
		assert.ok(Number(ok) >= written, `${ok} of ${written} files`);
	} finally {
		recovered.close();
	}
});
