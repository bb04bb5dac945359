import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { test } from 'node:test';
import { pino } from 'pino';
import { endOtherwiseServed, servedBy } from '../../keeper/served-services.ts';
import { type ServedName, serviceFiles, serviceHolder } from '../../keeper/services.ts';
import { configSchema, type Installation, places } from '../../system/installation.ts';
import { endHolder, spawnLocked } from '../../system/spawn-locked.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const address = '127.0.0.2';
const configured = (serve: unknown) =>
	configSchema.parse({ repositories: { main: '/backup/a', archive: '/backup/b', old: '/backup/c' }, serve });

test('`endOtherwiseServed` ends what config.yaml does not say, or says otherwise, and leaves the rest', async t => {
	const names: ServedName[] = ['host-door', 'repo-serve-main', 'repo-serve-archive', 'repo-serve-old'];
	const home = await temporaryDirectory(t, async path => {
		for (const name of names) await endHolder(serviceFiles(path, name).lockPath);
	});
	await mkdir(places.services(home), { recursive: true });
	const installation: Installation = { id: 'i', home, runDirectory: '/run/i', cacheDirectory: '/cache' };
	const served = (serve: unknown) => servedBy(installation, configured(serve));
	const before = served({ address, temporal: 7243, repositories: { main: 7443, archive: 7444, old: 7445 } });
	assert.deepEqual(
		before.map(({ name }) => name),
		names,
	);
	for (const { name, args } of before) {
		const sleeps = ['-e', 'setInterval(() => {}, 60_000)', '--', ...args];
		await spawnLocked({ ...serviceFiles(home, name), command: process.execPath, args: sleeps });
	}
	const running = async () => {
		const held = await Promise.all(names.map(name => serviceHolder(home, name)));
		return names.filter((_, number) => held[number] !== undefined);
	};
	assert.deepEqual(await running(), names);
	const after = served({ address, temporal: 7243, repositories: { main: 7443, archive: 7446 } });
	const log = pino({ level: 'silent' });
	await endOtherwiseServed(home, after, log);
	assert.deepEqual(await running(), ['host-door', 'repo-serve-main']);
	await endOtherwiseServed(home, servedBy(installation, configured(undefined)), log);
	assert.deepEqual(await running(), []);
});
