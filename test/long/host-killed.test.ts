/** A host in a network namespace of its own is gone with everything on it: what ran there waits, until a person gives it up. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { serviceFiles } from '../../keeper/services.ts';
import { changeConfig } from '../../system/change-config.ts';
import { freePort } from '../../system/free-port.ts';
import { findInstallation } from '../../system/installation.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { endHolder } from '../../system/spawn-locked.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { CutCable } from '../equipment/cut-cable.ts';
import { EmbeddedInstallation, endInstallation } from '../equipment/embedded-installation.ts';
import { storePoints } from '../equipment/fleet/stored-points.ts';
import { fastDirectory } from '../equipment/simulated-bench.ts';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const waitsForMs = 30_000;

test('a recovery that ran on a host that is killed whole waits for it, and is given up by a person alone', async t => {
	const cable = await CutCable.laid(t);
	const serve = `serve: {address: ${cable.nearAddress}, temporal: ${await freePort()}, repositories: {main: ${await freePort()}}}`;
	const control = await EmbeddedInstallation.up(t, `host: {name: kvm1, kind: simulated}\n${serve}\n`, fastDirectory);
	const [point] = await storePoints(control.repository);
	assert.ok(point);
	const directory = await temporaryDirectory(t, async path => {
		const made = await findInstallation(join(path, 'home'));
		if (made) await endInstallation(made);
	});
	const [file, home] = [join(directory, 'kvm2.invitation'), join(directory, 'home')];
	await control.answer('host', 'invite', 'kvm2', '--to', file);
	const inside = (...args: string[]) =>
		run('ip', ['netns', 'exec', cable.namespace, process.execPath, main, ...args], {
			env: { ...process.env, ROUSE_HOME: home },
		});
	await inside('host', 'join', file);
	await changeConfig({ home }, document => document.setIn(['host', 'kind'], 'simulated'));
	await inside('up', '--detach');

	const which = `${point.machine}@${point.restorePoint}`;
	const start = ['recover', 'start', which, '--name', 'web', '--finish', 'manual'];
	await control.answer(...start, '--host', 'kvm2');
	await control.shown('web', 'running', ({ phase }) => phase === 'running');
	await killWhole(home);
	await cable.cut();
	await delay(waitsForMs);
	const { phase, parked, host } = await control.show('web');
	assert.deepEqual([phase, parked, host], ['running', null, 'kvm2']);
	await control.answer('recover', 'abandon', 'web', '--confirm', 'web');
	await control.shown('web', 'abandoned', shown => shown.phase === 'abandoned');
	await control.answer(...start, '--host', 'kvm1', '--again');
	await control.shown('web', 'running here', shown => shown.phase === 'running' && shown.host === 'kvm1');
});

/** By SIGKILL, the keeper first, which would start others. */
async function killWhole(home: string): Promise<void> {
	await endHolder(serviceFiles(home, 'keeper').lockPath);
	await endHolder(serviceFiles(home, 'supervisor').lockPath);
	for await (const lock of glob('**/*.lock', { cwd: home })) {
		const path = join(home, lock);
		if (await lockHolder(path)) await endHolder(path);
	}
}
