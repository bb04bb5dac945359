import assert from 'node:assert/strict';
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../equipment/captive.ts';
import { rouse } from '../equipment/command-line.ts';
import { canonicalJson } from '../../repository/format/sealed-json.ts';
import { sha256Of } from '../../repository/format/sha256.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { sampleDisk } from '../equipment/stored-disk.ts';

test('what a recovery cannot be started from is refused by code, with the exit code of its kind, and nothing is left', async t => {
	const here = await EmbeddedInstallation.up(t);
	const directory = await temporaryDirectory(t);
	const image = join(directory, 'disk.raw');
	await writeFile(image, sampleDisk(1024 * 1024));
	await here.answer('backup', 'import', image, '--machine', 'web01', '--at', '2024-11-20T03:00:00Z');
	await truncate(image, 2 ** 43);
	await here.answer('backup', 'import', image, '--machine', 'huge');
	const refused = async (...args: string[]) => {
		const { code, exitCode, message } = await here.refusal(...args);
		assert.ok(message.length > 10, message);
		return [code, exitCode];
	};
	const start = ['recover', 'start'];

	assert.deepEqual(await refused(...start, 'web02@latest'), ['machine_unknown', 5]);
	assert.deepEqual(await refused(...start, 'web01@2025'), ['point_unknown', 5]);
	assert.deepEqual(await refused(...start, 'web01@latest', '--host', 'elsewhere'), ['host_unknown', 5]);
	assert.deepEqual(await refused(...start, 'web01@latest', '--repo', 'nowhere'), ['repository_missing', 10]);
	assert.deepEqual(await refused(...start, 'web01@latest', '--finish', 'never'), ['usage', 2]);
	assert.deepEqual(await refused(...start, 'huge@latest'), ['space_short', 4]);
	assert.deepEqual(await refused(...start, 'huge@latest', '--dry-run'), ['space_short', 4]);
	assert.deepEqual(await refused('recover', 'show', 'web01-r1'), ['recovery_unknown', 5]);
	assert.deepEqual(await refused('recover', 'discard', 'web01-r1', '--confirm', 'web01'), ['usage', 2]);
	assert.deepEqual(await readdir(join(here.installation.home, 'host', 'recoveries')).catch(() => []), []);
	assert.deepEqual(await readdir(join(here.repository, 'pins')).catch(() => []), []);

	const newer = join(directory, 'newer');
	await here.answer('repo', 'init', newer);
	assert.deepEqual(await refused(...start, 'web01@latest', '--repo', newer), ['repository_unknown', 10]);
	await here.answer('repo', 'add', 'newer', newer);
	const { checksum: _, ...header } = JSON.parse(await readFile(join(newer, 'rouse-repository'), 'utf8'));
	const later = { ...header, version: 2 };
	const checksum = sha256Of(Buffer.from(canonicalJson(later)));
	await writeFile(join(newer, 'rouse-repository'), canonicalJson({ ...later, checksum }));
	assert.deepEqual(await refused(...start, 'web01@latest', '--repo', newer), ['repository_unsupported', 10]);

	// A failure before power-on leaves the name free: the same name starts from another point.
	await here.answer(...start, 'huge@latest', '--name', 'web01-r1', '--allocate', 'thin', '--power', 'off');
	const off = await here.show('web01-r1');
	assert.deepEqual([off.phase, off.power], ['running', 'off']);
	await here.answer('recover', 'discard', 'web01-r1', '--confirm', 'web01-r1');
	await here.shown('web01-r1', 'discarded', ({ phase }) => phase === 'discarded');
	await here.answer('recover', 'discard', 'web01-r1', '--confirm', 'web01-r1'); // it is so already
	assert.deepEqual(await refused(...start, 'web01@latest', '--allocate', 'thin'), ['name_conflict', 6]);
	await here.answer(...start, 'web01@latest', '--allocate', 'thin', '--again');

	await here.answer('down');
	assert.deepEqual(await refused('recover', 'show', 'web01-r1'), ['temporal_unreachable', 8]);
	assert.deepEqual(await refused('host', 'list'), ['supervisor_unreachable', 8]);
});

test('without anything started, a recovery says what to start', async t => {
	const home = await temporaryDirectory(t);
	const { exitCode, stderr } = await rouse(home, ['recover', 'list', '--json']);
	assert.equal(exitCode, 8);
	assert.match(stderr, /"code":"temporal_unreachable".*rouse up/);
});
