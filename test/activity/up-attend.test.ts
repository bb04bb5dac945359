import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { takeDown } from '../../keeper/down.ts';
import { runningServices } from '../../keeper/services.ts';
import { makeHome } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { rouse, startRouse } from '../equipment/command-line.ts';

const patience = { timeoutMs: 60_000, everyMs: 50 };

test('`up --attend` starts a keeper again that died before any service ran, until `down`', async t => {
	const directory = await temporaryDirectory(t, path => takeDown(join(path, 'home'), () => undefined));
	const home = join(directory, 'home');
	const taken = createServer();
	await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve));
	t.after(() => taken.close());
	const address = taken.address();
	assert.ok(typeof address === 'object' && address !== null);
	await makeHome(home);
	await writeFile(join(home, 'config.yaml'), `ports: {temporal: ${address.port}}\n`);

	const attending = startRouse(t, home, ['up', '--attend']);
	const again = /had died \(.+\); it is started again/g;
	await waitFor('it to be started twice', () => (attending.stderr().match(again) ?? []).length >= 2, patience);
	assert.equal(attending.child.exitCode, null);
	assert.deepEqual(await runningServices(home), []);
	assert.equal((await rouse(home, ['down'])).exitCode, 0);
	const { exitCode, stderr } = await attending.ended;
	assert.equal(exitCode, 0);
	assert.match(stderr, /ended by rouse down/);
});
