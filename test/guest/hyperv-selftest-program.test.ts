/** The program of the self test's machine, which is to run under Hyper-V's BIOS, under QEMU's. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
	type Counters,
	countersOf,
	putProgram,
	read,
	written,
} from '../../hypervisors/hyperv/selftest/guest-program.ts';
import { waitFor } from '../../system/wait.ts';
import { captive, temporaryDirectory } from '../equipment/captive.ts';

const diskBytes = 4 * 2 ** 20;

async function until(disk: string, reached: (counters: Counters) => boolean): Promise<Counters> {
	return await waitFor(
		'the counters',
		async () => {
			const counters = countersOf(await readFile(disk));
			return counters && reached(counters) && counters;
		},
		{ timeoutMs: 60_000 },
	);
}

/** A machine with this disk and nothing else. Reads of sectors that are `bad` fail. */
function machine(t: TestContext, disk: string, bad: readonly number[] = []) {
	const errors = bad.map(sector => ({ event: 'none', iotype: 'read', errno: 5, sector }));
	const image = { driver: 'file', filename: disk };
	const node = bad.length === 0 ? image : { driver: 'blkdebug', image, 'inject-error': errors };
	const machineOnly = ['-accel', 'tcg', '-m', '64', '-nodefaults', '-display', 'none'];
	const drive = ['-blockdev', JSON.stringify({ ...node, 'node-name': 'disk' })];
	const device = ['-device', 'ide-hd,drive=disk,werror=report,rerror=report,bootindex=0'];
	return captive(t, 'qemu-system-x86_64', [...machineOnly, ...drive, ...device]);
}

test('the program of the self test counts boots and rounds on its disk, and writes nothing else', async t => {
	const disk = join(await temporaryDirectory(t), 'disk');
	const bytes = Buffer.alloc(diskBytes, 0x5e);
	putProgram(bytes);
	await writeFile(disk, bytes);
	assert.deepEqual(countersOf(bytes), { boots: 0, rounds: 0, failures: 0 });
	for (const boots of [1, 2]) {
		const before = countersOf(await readFile(disk))?.rounds ?? 0;
		const { end } = machine(t, disk);
		const counters = await until(disk, ({ rounds }) => rounds >= before + 40);
		await end('SIGKILL');
		assert.equal(counters.boots, boots);
		assert.equal(counters.failures, 0);
	}
	const found = await readFile(disk);
	for (const content of [bytes, found]) content.fill(0, written.offsetBytes, written.offsetBytes + written.sizeBytes);
	assert.ok(found.equals(bytes));
});

test('the program of the self test counts requests that fail, and goes on', async t => {
	const disk = join(await temporaryDirectory(t), 'disk');
	const bytes = Buffer.alloc(diskBytes, 0x5e);
	putProgram(bytes);
	await writeFile(disk, bytes);
	machine(t, disk, [read.offsetBytes / 512 + 5]);
	const { rounds, failures } = await until(disk, counters => counters.failures >= 2);
	assert.ok(rounds >= 32, `${failures} failures in ${rounds} rounds: one of 32 sectors is bad`);
});
