import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createHash } from 'node:crypto';
import { type BootedImage, bootImage } from '../../cli/demo/boot-image.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const run = promisify(execFile);
const build = fileURLToPath(new URL('../../tools/guest/build', import.meta.url));
/** Emulation on a busy machine is slow: these say that something hangs, not that it is slow. */
const soon = { timeoutMs: 120_000 };

async function booted(t: TestContext, image: string, firmwareCode?: string): Promise<BootedImage> {
	const machine = await bootImage(image, { directory: await temporaryDirectory(t), firmwareCode });
	t.after(() => machine.kill());
	await machine.console.ready(soon);
	return machine;
}

test('the guest boots, writes, verifies after its plug was pulled in the middle, and powers itself off', async t => {
	const directory = await temporaryDirectory(t);
	const payload = join(directory, 'payload');
	await mkdir(payload);
	await writeFile(join(payload, 'one'), 'something to read');
	const image = join(directory, 'guest.raw');
	await run(build, ['--size', '256', '--payload', payload, image]);
	assert.equal((await stat(image)).size, 256 * 2 ** 20);

	const first = await booted(t, image);
	await first.console.command('write 3', /^wrote 3$/, soon);
	await first.console.command('start', /^started$/, soon);
	// It writes while commands are answered.
	const counted = async () => Number((await first.console.command('count', /^count (\d+)$/, soon))[1]);
	while ((await counted()) < 8);
	await first.kill();

	const second = await booted(t, image);
	const [, ok, bad] = await second.console.command('verify', /^ok (\d+) bad (\d+)$/, soon);
	assert.ok(Number(ok) >= 8, `${ok} files`);
	assert.equal(bad, '0');
	const sum = createHash('sha256').update('something to read').digest('hex');
	await second.console.command('read /payload/one', new RegExp(`^read 1 17 ${sum}$`), soon);
	await second.console.command('start', /^started$/, soon);
	const [, stopped] = await second.console.command('stop', /^stopped (\d+)$/, soon);
	assert.ok(Number(stopped) >= Number(ok));
	await assert.rejects(second.console.command('fly', /^flown$/, soon), {
		code: 'machine_failed',
		message: /"error unknown fly"/,
	});
	await second.console.command('poweroff', /^bye$/, soon);
	await second.ended;
});

test('the guest boots from UEFI firmware', async t => {
	const directory = await temporaryDirectory(t);
	const image = join(directory, 'guest.raw');
	await run(build, ['--size', '128', '--firmware', 'efi', image]);
	const machine = await bootImage(image, { directory, firmwareCode: '/usr/share/ovmf/OVMF.fd' });
	t.after(() => machine.kill());
	await machine.console.waitFor(/^ROUSE-GUEST firmware=efi/, soon);
});
