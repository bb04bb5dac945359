import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { startRouse } from '../equipment/command-line.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { sampleDisk } from '../equipment/stored-disk.ts';

const rowsSchema = z.object({
	recoveries: z.array(
		z.looseObject({
			name: z.string(),
			machine: z.string().nullable(),
			phase: z.string(),
			power: z.string().nullable(),
		}),
	),
});

test('what Temporal keeps is sealed by a configured key; without it `list` and `show` tell what the host knows', async t => {
	const directory = await temporaryDirectory(t);
	const key = join(directory, 'key');
	await writeFile(key, randomBytes(32).toString('hex'), { mode: 0o600 });
	const here = await EmbeddedInstallation.up(t, `host: {kind: simulated}\ntemporal: {payloadKeyFile: ${key}}\n`);
	await writeFile(join(directory, 'disk.raw'), sampleDisk(2 * 1024 * 1024));
	await here.answer('backup', 'import', join(directory, 'disk.raw'), '--machine', 'hushhush');
	await here.answer('recover', 'start', 'hushhush@latest', '--name', 'web01-r1', '--reason', 'psst');
	const { restorePoint } = await here.show('web01-r1');

	const show = ['workflow', 'show', '-w', 'recovery/web01-r1', '--output', 'json'];
	const { stdout: history } = await startRouse(t, here.installation.home, ['temporal', 'cli', '--', ...show]).ended;
	const payloads = [...history.matchAll(/"data": "([^"]*)"/g)].map(([, data]) =>
		Buffer.from(data ?? '', 'base64').toString('latin1'),
	);
	assert.ok(payloads.length > 20);
	// Search attributes are for searching: they are as they are.
	assert.deepEqual(
		payloads.filter(text => /psst|manifestDigest/.test(text)),
		[],
	);

	const config = join(here.installation.home, 'config.yaml');
	const withKey = await readFile(config, 'utf8');
	await writeFile(config, withKey.replace(/temporal: .*\n/, ''));
	const shown = await here.show('web01-r1');
	assert.deepEqual(
		[shown.machine, shown.restorePoint, shown.phase, shown.power],
		['hushhush', restorePoint, 'running', 'on'],
	);
	const listed = await waitFor(
		'visibility', // which lags behind what `show` tells
		async () => {
			const { recoveries } = rowsSchema.parse(await here.answer('recover', 'list'));
			return recoveries.some(({ phase }) => phase === 'running') && recoveries;
		},
		{ timeoutMs: 60_000 },
	);
	assert.deepEqual(
		listed.map(({ name, machine, phase, power }) => [name, machine, phase, power]),
		[['web01-r1', 'hushhush', 'running', 'on']],
	);

	await writeFile(config, withKey);
	await here.answer('recover', 'discard', 'web01-r1', '--confirm', 'web01-r1');
	await here.shown('web01-r1', 'discarded', ({ phase }) => phase === 'discarded');
});
