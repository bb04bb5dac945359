/** The self test as the command line starts it, up to the program that stands for powershell.exe, over a real SSH server. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { overlayOfHost } from '../../hypervisors/hyperv/overlay-of-host.ts';
import { answerDriver } from '../../hypervisors/hyperv/simulator/driver-lines.ts';
import { serveLines } from '../../hypervisors/hyperv/simulator/json-lines.ts';
import { startSshServer, stopSshServer } from '../../hypervisors/hyperv/simulator/ssh/server.ts';
import { type SelftestLine, selftestLineSchema } from '../../model/selftest.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { diskBytes, hastyTimes, selftestHost } from '../equipment/selftest-host.ts';

const program = join(checkoutDirectory, 'hypervisors', 'hyperv', 'selftest', 'main.ts');

/** A host, and a way to start self tests of it. */
async function reached(t: TestContext) {
	const sample = await selftestHost(t);
	const home = await temporaryDirectory(t, path => stopSshServer(join(path, 'ssh')));
	const driverSocket = join(home, 'driver.sock');
	const lines = await serveLines(driverSocket, sample.heard(answerDriver(sample.host)));
	t.after(() => lines.close());
	const consoleSocket = join(home, 'console.sock');
	const { destination } = await startSshServer({
		directory: join(home, 'ssh'),
		driverSocket,
		consoleSocket,
		root: home,
	});
	const { user, host, port, identityPath, knownHostsPath } = destination;
	const { datastore, appliance, address, roots } = sample.settings;
	const keys = { identityFile: identityPath, knownHostsFile: knownHostsPath };
	const hyperv = { ssh: `${user}@${host}`, port, ...keys, datastore, appliance, address };
	await writeFile(join(home, 'config.yaml'), JSON.stringify({ host: { name: 'hv1', kind: 'hyperv', hyperv } }));
	const request = { version: '0.0.0', long: false, roots, diskBytes, times: hastyTimes };
	const start = () => {
		const child = spawn(process.execPath, [program, JSON.stringify(request)], {
			stdio: ['pipe', 'pipe', 'inherit'],
			env: { ...process.env, ROUSE_HOME: home },
		});
		const ended = once(child, 'close');
		t.after(async () => {
			child.stdin.end();
			await ended;
		});
		return child;
	};
	return { sample, start, home };
}

type Child = ReturnType<Awaited<ReturnType<typeof reached>>['start']>;

/** What it says, to its end. */
async function saidBy(
	{ stdout }: Child,
	hear: (line: SelftestLine) => void = () => undefined,
): Promise<SelftestLine[]> {
	const said: SelftestLine[] = [];
	for await (const text of createInterface({ input: stdout })) {
		const line = selftestLineSchema.parse(JSON.parse(text));
		said.push(line);
		hear(line);
	}
	return said;
}

test('the self test asks over SSH, says each check, and then what it all came to', async t => {
	const { sample, start, home } = await reached(t);
	const said = await saidBy(start());
	const last = said.at(-1);
	assert.equal(last?.type, 'report', JSON.stringify(last));
	const checks = said.flatMap(line => (line.type === 'check' ? [line.check] : []));
	assert.deepEqual(last?.type === 'report' && last.report.checks, checks);
	const otherwise = checks.filter(({ outcome }) => outcome === 'otherwise');
	assert.deepEqual(otherwise, []);
	const { driver } = sample.settings;
	assert.deepEqual(await overlayOfHost({}, home, driver, {}), { overlay: 'checkpoint' });
	assert.deepEqual(await sample.leftovers(), []);
});

test('a self test whose standard input ends removes what it has made, and says that it was interrupted', async t => {
	const { sample, start } = await reached(t);
	const child = start();
	const said = await saidBy(child, line => {
		if (line.type === 'trying' && line.name === 'overlays-made') child.stdin.end();
	});
	const last = said.at(-1);
	assert.equal(last?.type === 'report' && last.report.interrupted, true);
	assert.deepEqual(await sample.leftovers(), []);
});

test('what a self test has left that was killed is removed by the next one, which finds all as expected', async t => {
	const { sample, start } = await reached(t);
	const killed = start();
	await saidBy(killed, line => {
		if (line.type === 'trying' && line.name === 'saved-and-resumed') killed.kill('SIGKILL');
	});
	assert.notDeepEqual(await sample.leftovers(), []);
	const said = await saidBy(start());
	assert.match(JSON.stringify(said[0]), /removing what an earlier self test has left/);
	const otherwise = said.filter(line => line.type === 'check' && line.check.outcome === 'otherwise');
	assert.deepEqual(otherwise, []);
	assert.deepEqual(await sample.leftovers(), []);
});
