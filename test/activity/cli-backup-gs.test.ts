/** `gs://` by commands and by the processes of an import, which find Google where gcloud's variables say. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { appendFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Spool } from '../../sources/gce/spool.ts';
import { childSteps } from '../../sources/machine-child/children.ts';
import { rouse, startRouse } from '../equipment/command-line.ts';
import { collect } from '../equipment/repositories.ts';
import { archiveUri, instanceUri, makeGceInstallation, subjectToken } from '../equipment/gce/installation.ts';

const { signal } = new AbortController();

test('`backup import gs://` with --configuration stores the disk and its configuration; `backup plan` says the same of the source', async t => {
	const { home, env, places, content, points, site } = await makeGceInstallation(t);
	const spool = join(home, 'spool');
	const options = [
		'--machine',
		'web01',
		'--configuration',
		instanceUri,
		'--credential',
		'google',
		'--spool',
		spool,
		'--json',
	];
	const imported = await startRouse(t, home, ['backup', 'import', archiveUri, ...options], env).ended;
	assert.equal(imported.exitCode, 0, imported.stderr);
	assert.match(imported.stderr, /left out: data: no archive of it was named/);
	assert.partialDeepStrictEqual(JSON.parse(imported.stdout), { disks: [{ sizeBytes: content.length }] });
	const [point] = await points();
	assert.partialDeepStrictEqual(point?.manifest.config, {
		cpus: 2,
		memoryMiB: 8192,
		firmware: 'efi',
		origin: { kind: 'gce', detail: 'disk.raw in web01.tar.gz' },
	});
	assert.deepEqual(
		await readdir(join(spool, 'rouse-spool', 'command')),
		[],
		'what was kept for another attempt is gone',
	);

	const planned = await startRouse(t, home, ['backup', 'plan', 'web01', '--json'], env).ended;
	assert.equal(planned.exitCode, 0, planned.stderr);
	assert.partialDeepStrictEqual(JSON.parse(planned.stdout), {
		kind: 'gce',
		uri: archiveUri,
		name: 'web01',
		repository: places.repository,
		base: null,
		consistency: 'crash',
		disks: [{ sizeBytes: content.length, reads: 'all' }],
		assumed: [],
	});
	for (const { stdout, stderr } of [imported, planned])
		for (const secret of [subjectToken, ...site.google.tokens]) assert.ok(!`${stdout}${stderr}`.includes(secret));
});

test('`backup import gs://` refuses a credential that is not named or not needed, and a format, before it asks anybody', async t => {
	const { home, site } = await makeGceInstallation(t);
	for (const [args, exitCode, message] of [
		[[archiveUri, '--credential', 'gogle'], 2, /config\.yaml has no credential gogle/],
		[[archiveUri, '--format', 'raw', '--credential', 'google'], 2, /--format is for files/],
		[['web01.qcow2', '--credential', 'google'], 2, /--credential lets in at gs:\/\//],
		[['web01.qcow2', '--spool', 'spool'], 2, /--spool keeps what is fetched from gs:\/\//],
	] as const) {
		const refused = await rouse(home, ['backup', 'import', ...args, '--machine', 'web01']);
		assert.equal(refused.exitCode, exitCode, refused.stderr);
		assert.match(refused.stderr, message);
	}
	assert.deepEqual(site.google.requests, []);
});

test('the processes of an import from an archive: one that is killed is gone on with, and the archive read anew; with a spool not even that', async t => {
	const { home, env, places, points, site } = await makeGceInstallation(t);
	const steps = childSteps(home, { env });
	const order = await steps.plan(places, { importId: randomUUID(), machine: 'web01' }, signal);
	const moment = await steps.begin(places, order, signal);
	const copy = { order, moment, maxRateBytes: null };
	const how = { signal, onProgress: () => {} };
	assert.equal(moment.readAnew, true);
	const dying = (at: string) => childSteps(home, { env: { ...env, ROUSE_TEST_KILL_AT: at } }).copy(places, copy, how);
	const killed = { code: 'import_failed', message: /SIGKILL/ };
	await assert.rejects(dying('data'), killed);
	await appendFile(join(home, 'config.yaml'), '    spool: spool\n');
	// The archive has come to its end by then, whatever of it came together.
	await assert.rejects(dying('checked'), killed);
	const left = await collect(new Spool(join(home, 'spool')).leftovers(undefined));
	assert.partialDeepStrictEqual(left, [{ tag: order.tag, owner: order.owner }]);
	const { restorePoint, newBytes } = await steps.copy(places, copy, how);
	const [point] = await points();
	assert.equal(point?.manifest.time, restorePoint);
	assert.equal(newBytes, 0, 'what was durable is not stored again');
	const ranges = site.google.requests.filter(({ at }) => at === 'media').map(({ range }) => range);
	assert.deepEqual(ranges, ['bytes=0-', 'bytes=0-', 'bytes=0-'], 'for its plan, and for two of three copies');
	const said = JSON.stringify([order, moment]);
	for (const secret of [subjectToken, ...site.google.tokens]) assert.ok(!said.includes(secret), 'a secret is told');
});
