/** What other platforms export is imported as it is, by commands alone; its machine comes back on QEMU with its files. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import * as z from 'zod';
import { GuestConsole } from '../../cli/demo/console.ts';
import { checkDisk } from '../../cli/demo/disk-check.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { EmbeddedInstallation, shownSchema } from '../equipment/embedded-installation.ts';
import { makeVsphereOva } from '../equipment/vsphere-ova.ts';

const run = promisify(execFile);
/** Emulation on a busy machine is slow: it says that something hangs, not that it is slow. */
const soon = { timeoutMs: 180_000 };
const importedSchema = z.looseObject({ machine: z.string(), newBytes: z.int() });

interface Original {
	directory: string;
	payload: string;
	/** What the guest says when it reads its payload. */
	read: string;
	/** Of Google Compute Engine. */
	archive: string;
	/** Of vSphere. */
	ova: string;
}

test('an archive of Google Compute Engine and an OVA of vSphere are imported, and their guests boot with all their files', async t => {
	const directory = await temporaryDirectory(t);
	const [here, original] = await Promise.all([EmbeddedInstallation.up(t), makeOriginal(directory)]);
	const { archive, ova } = original;
	await here.answer('backup', 'import', archive, '--machine', 'gce01');
	const second = importedSchema.parse(await here.answer('backup', 'import', ova));
	assert.deepEqual([second.machine, second.newBytes], ['shop01', 0], 'it is the same disk');
	// The archive tells nothing but the disk: the rest would be as for any machine.
	const size = ['--memory', '256MiB', '--cpus', '1'];
	await Promise.all([comesBack(t, here, original, 'gce01', ...size), comesBack(t, here, original, 'shop01')]);
});

async function makeOriginal(directory: string): Promise<Original> {
	const payload = join(directory, 'payload');
	const read = await makePayload(payload);
	const image = join(directory, 'disk.raw');
	await run(join(checkoutDirectory, 'tools', 'guest', 'build'), ['--size', '256', '--payload', payload, image]);
	const [ova] = await Promise.all([
		makeVsphereOva(directory, { name: 'Shop01', memoryMiB: 256, image }),
		run('tar', ['--format=oldgnu', '-Sczf', 'image.tar.gz', 'disk.raw'], { cwd: directory }),
	]);
	return { directory, payload, read, archive: join(directory, 'image.tar.gz'), ova };
}

async function makePayload(payload: string): Promise<string> {
	await mkdir(payload);
	const files = Array.from({ length: 20 }, (_, index) => randomBytes(10_007 * (index + 1)));
	for (const [index, bytes] of files.entries()) await writeFile(join(payload, `f${100 + index}`), bytes);
	const all = Buffer.concat(files);
	return `read ${files.length} ${all.length} ${createHash('sha256').update(all).digest('hex')}`;
}

/** Through a whole recovery: the guest reads its files while they come from the repository, and writes one. */
async function comesBack(
	t: TestContext,
	here: EmbeddedInstallation,
	{ directory, payload, read }: Original,
	machine: string,
	...options: string[]
): Promise<void> {
	const start = ['recover', 'start', `${machine}@latest`, '--allocate', 'thin', '--finish', 'migrate', ...options];
	const { name, consoleSocket } = shownSchema.parse(await here.answer(...start));
	const guest = await GuestConsole.open(consoleSocket ?? '');
	t.after(() => guest.close());
	await guest.ready(soon);
	const [answer] = await guest.command('read /payload', /^read .*$/, soon);
	assert.equal(answer, read, machine);
	const [, file = '', sum = ''] = await guest.command('write 1 64', /^file (\S+) ([0-9a-f]{64})$/, soon);
	await guest.waitFor(/^wrote 1$/, soon);
	const { disks } = await here.shown(name, 'finished', ({ phase }) => phase === 'finished');
	const [verified] = await guest.command('verify', /^ok \d+ bad \d+$/, soon);
	assert.equal(verified, 'ok 1 bad 0', machine);
	await guest.command('poweroff', /^bye$/, soon);
	await here.shown(name, 'off', ({ power }) => power === 'off');
	const against = { payload, knownFiles: new Map([[file, sum]]), atLeast: 1, scratch: join(directory, machine) };
	await checkDisk(disks[0]?.path ?? '', against);
}
