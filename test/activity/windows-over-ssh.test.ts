import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectPipes } from '../../hypervisors/hyperv/driver/pipes.ts';
import { connectDriver } from '../../hypervisors/hyperv/driver/sessions.ts';
import { control } from '../../hypervisors/hyperv/simulator/control-client.ts';
import { startSshServer, stopSshServer } from '../../hypervisors/hyperv/simulator/ssh/server.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { folder, overlayPath, slot, startOn, targetPath } from '../equipment/windows-host.ts';
import { windowsSimulator } from '../equipment/windows-simulator.ts';

const MiB = 2 ** 20;

test('driver and console reach the simulated host over SSH, through a session that is cut and a boot', async t => {
	const simulated = await windowsSimulator(t);
	const { driverSocket, consoleSocket, controlSocket } = simulated.config;
	const directory = await temporaryDirectory(t, path => stopSshServer(join(path, 'ssh')));
	const { destination } = await startSshServer({
		directory: join(directory, 'ssh'),
		driverSocket,
		consoleSocket,
		root: directory,
	});
	const driver = await connectDriver(destination);
	t.after(() => driver.close());
	const first = await driver.ask('hello', {});
	assert.match(first.powerShell, /^5\.1/);
	const recoveryId = startOn(null).recoveryId;
	const make = { recoveryId, path: targetPath, sizeBytes: 8 * MiB, whole: false, knownId: null };
	await control(controlSocket, { do: 'fault', point: 'op make-target done', action: { kind: 'drop' } });
	await assert.rejects(driver.ask('make-target', make), { code: 'hypervisor_failed' });
	const { virtualDiskId, made } = await driver.ask('make-target', make);
	assert.equal(made, false);
	await assert.rejects(driver.ask('make-target', { ...make, knownId: randomUUID() }), { code: 'identity_conflict' });
	const pipe = '\\\\.\\pipe\\rouse-web01';
	await driver.ask('create-machine', {
		recoveryId,
		name: 'wéb01',
		directory: folder,
		generation: 2,
		memoryMiB: 64,
		processors: 1,
		secureBoot: 'Off',
		nics: [],
		pipe,
	});
	assert.equal((await driver.ask('observe', { recoveryId }))?.name, 'wéb01');
	await driver.ask('make-overlay', {
		recoveryId,
		path: overlayPath,
		parent: targetPath,
		parentId: virtualDiskId,
		slot,
	});
	const pipes = await connectPipes(destination);
	await assert.rejects(pipes.open(pipe), { code: 'phase_wrong' });
	await driver.ask('start', startOn(targetPath));
	const console = await pipes.open(pipe);
	let heard = '';
	console.on('data', (bytes: Buffer) => (heard += bytes.toString('utf8')));
	console.write('hello');
	await waitFor('the console to answer', () => heard === 'wéb01\r\nhello', { timeoutMs: 20_000 });
	console.destroy();
	await simulated.process.end('SIGKILL');
	await simulated.start();
	const again = await driver.ask('hello', {}).catch(() => driver.ask('hello', {}));
	assert.notEqual(again.bootId, first.bootId);
	assert.equal((await driver.ask('observe', { recoveryId }))?.state, 'Off');
});
