/** A drill on QEMU: a guest of one sector boots from its backup, is tested over its serial console, and thrown away. */
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { drillReportSchema } from '../../model/drill-report.ts';
import { places } from '../../system/installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';

/** Says `up` with each tick of the timer, in 16 bits: mov dx, 3f8h; out dx, al for each character; sti; hlt; jmp. */
const program = Buffer.from('baf803b075eeb070eeb00aeefbf4ebf0', 'hex');

test('a drill on QEMU brings a picture of the screen, what was read, and leaves nothing', async t => {
	const here = await EmbeddedInstallation.up(t);
	const directory = await temporaryDirectory(t);
	const [image, spec, file] = ['disk.raw', 'spec.yaml', 'drill.yaml'].map(name => join(directory, name));
	assert.ok(image && spec && file);
	const disk = Buffer.alloc(1 << 20);
	program.copy(disk);
	disk.writeUInt16LE(0xaa55, 510);
	await writeFile(image, disk);
	await writeFile(spec, 'cpus: 1\nmemoryMiB: 64\nnics: [{mac: "52:54:00:00:00:01", network: lan}]\n');
	await here.answer('backup', 'import', image, '--machine', 'tiny', '--spec', spec);
	const tests = '[{name: boots, serial: "", expect: "up", within: 2m}]';
	await writeFile(file, `name: nightly\ngroups: [{name: all, machines: [{machine: tiny, tests: ${tests}}]}]\n`);
	const { exitCode, stderr, stdout } = await here.run('drill', 'start', file);
	assert.equal(exitCode, 0, `${stderr}${stdout}`);
	const { machines } = drillReportSchema.parse(await here.answer('drill', 'report', 'nightly'));
	const [tiny] = machines;
	assert.ok(tiny);
	assert.deepEqual([tiny.passed, tiny.discarded, tiny.tests.map(({ passed }) => passed)], [true, true, [true]]);
	assert.match(tiny.tests[0]?.output ?? '', /up/); // its line may not have ended by then
	assert.ok((tiny.readBytes ?? 0) > 0, 'its boot sector came from the repository');
	const png = Buffer.from(tiny.screenshot ?? '', 'base64');
	assert.equal(png.subarray(1, 4).toString('latin1'), 'PNG', tiny.screenshotReason ?? '');
	assert.ok(png.readUInt32BE(16) >= 640, 'as wide as a screen');
	assert.deepEqual(await readdir(places.recoveries(here.installation.home)), []);
});
