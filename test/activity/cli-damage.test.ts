import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { keys } from '../../repository/format/keys.ts';
import { canonicalJson } from '../../repository/format/sealed-json.ts';
import { sha256Of } from '../../repository/format/sha256.ts';
import { temporarySuffix } from '../../system/durable-file.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { rouse } from '../equipment/command-line.ts';

test('a point that is damaged is told of by `backup list`, `repo stats` and `repo verify`, and hides no other', async t => {
	const directory = await temporaryDirectory(t);
	const [home, repository, path] = ['home', 'main', 'disk.raw'].map(name => join(directory, name));
	assert.ok(home && repository && path);
	const command = async (...args: string[]) => {
		const ended = await rouse(home, [...args, '--json']);
		const document = JSON.parse((ended.stdout || ended.stderr).trim().split('\n').at(-1) ?? '');
		return { ...ended, document };
	};
	await writeFile(path, randomBytes(2 ** 20));
	assert.equal((await command('repo', 'init', repository)).exitCode, 0);
	for (const time of ['2024-11-20T03:00:00Z', '2024-11-21T03:00:00Z'])
		assert.equal((await command('backup', 'import', path, '--machine', 'web01', '--at', time)).exitCode, 0);
	const manifest = (time: string) => join(repository, keys.point('web01', time));
	await writeFile(manifest('2024-11-21T03:00:00.000Z'), '');
	const { exitCode, document: list, stderr } = await command('backup', 'list');
	assert.equal(exitCode, 0);
	assert.equal(list.restorePoints.length, 1);
	const which = { machine: 'web01', restorePoint: '2024-11-21T03:00:00.000Z', code: 'format_damaged' };
	assert.partialDeepStrictEqual(list.damaged, [which]);
	assert.match(stderr, /web01@2024-11-21T03:00:00.000Z cannot be read: /);
	assert.match((await rouse(home, ['backup', 'list'])).stdout, /^web01@2024-11-21T03:00:00.000Z +damaged$/m);
	assert.partialDeepStrictEqual((await command('repo', 'stats')).document, {
		points: 2,
		unreadablePoints: [{ machine: 'web01' }],
	});
	const latest = await command('backup', 'show', 'web01@latest');
	assert.equal(latest.exitCode, 9);
	assert.match(latest.document.hint, /say web01@2024-11-20T03:00:00.000Z to take that one/);
	const left = `points/web01/x${temporarySuffix}`;
	await writeFile(join(repository, left), 'cut');
	const verified = await command('repo', 'verify', 'main');
	assert.equal(verified.exitCode, 9);
	assert.partialDeepStrictEqual(
		verified.document.findings.filter(({ kind }: { kind: string }) => kind === 'notice'),
		[{ key: left, code: 'temporary_left' }],
	);
	assert.partialDeepStrictEqual(
		verified.document.findings.filter(({ kind }: { kind: string }) => kind === 'damage'),
		[{ key: keys.point('web01', which.restorePoint), code: 'format_damaged' }],
	);
	await writeFile(manifest('2024-11-20T03:00:00.000Z'), '');
	assert.equal((await command('backup', 'list')).exitCode, 9);
	const later = { type: 'rouse-manifest', version: 2 };
	const checksum = sha256Of(Buffer.from(canonicalJson(later)));
	for (const time of ['2024-11-20T03:00:00.000Z', '2024-11-21T03:00:00.000Z'])
		await writeFile(manifest(time), canonicalJson({ ...later, checksum }));
	assert.equal((await command('backup', 'list')).exitCode, 10);
	assert.equal((await command('repo', 'verify')).exitCode, 10);
});
