/** The process that takes a step of an import, and what libraries do in it: they print, throw aside, and start programs. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { zstdProofVariable } from '../../repository/format/zstd.ts';
import { childSteps } from '../../sources/machine-child/children.ts';
import { hasEnded } from '../../system/has-ended.ts';
import { runTool } from '../../system/run-tool.ts';
import { waitFor } from '../../system/wait.ts';
import { ImportInstallation } from '../equipment/import-installation.ts';

const { signal } = new AbortController();

test('what a library prints, and throws where nobody waits for it, is told without the secret, and may be tried again', async t => {
	const site = await ImportInstallation.make(t);
	await site.fails({ at: 'describe', does: 'throw-aside' });
	await assert.rejects(childSteps(site.home).plan(site.places, site.wish(), signal), {
		code: 'import_failed',
		message: /key=\[secret\]: connection reset/,
	});
});

test('what a library says on standard error, which is our log, has no secret', async t => {
	const site = await ImportInstallation.make(t);
	await site.fails({ at: 'describe', does: 'throw-aside' });
	const program = new URL('../../sources/machine-child/main.ts', import.meta.url).pathname;
	const child = spawn(process.execPath, [program], { stdio: ['pipe', 'ignore', 'pipe', 'pipe'] });
	assert.ok(child.stderr);
	const end = once(child, 'close');
	const said = text(child.stderr);
	child.stdin?.write(`${JSON.stringify({ do: 'plan', home: site.home, places: site.places, ...site.wish() })}\n`);
	child.stdio[3]?.once('data', () => child.stdin?.end());
	assert.match(await said, /^GET \/disks\?key=\[secret\]: connection reset$/m);
	assert.deepEqual(await end, [null, 'SIGKILL'], 'it ends with its input');
});

test('what could not be taken away is told without the secret', async t => {
	const site = await ImportInstallation.make(t);
	const { home, places } = site;
	const steps = childSteps(home);
	await steps.begin(places, await steps.plan(places, site.wish(), signal), signal);
	await site.fails({ at: 'abandon', does: 'tell-secret' });
	const { left } = await steps.sweep(places, await steps.plan(places, site.wish(), signal), signal);
	assert.match(left.join(), /^import [0-9a-f-]{36}: GET \/disks\?key=\[secret\]: connection reset$/);
});

test('programs that a step has started end with its process', async t => {
	const site = await ImportInstallation.make(t);
	const pidFile = join(site.home, 'pid');
	const starter = join(site.home, 'starter.mjs');
	await writeFile(
		starter,
		`import { spawn } from 'node:child_process';
		import { writeFileSync } from 'node:fs';
		writeFileSync(${JSON.stringify(pidFile)}, String(spawn('sleep', ['600'], { stdio: 'ignore' }).pid));`,
	);
	const env = { ...process.env, NODE_OPTIONS: `--import=${starter}` };
	await childSteps(site.home, { env }).plan(site.places, site.wish(), signal);
	const pid = Number(await readFile(pidFile, 'utf8'));
	await waitFor('its end', () => hasEnded(pid, new Date()), { timeoutMs: 20_000 });
});

test('a process that copies takes half the memory that it would: zstd by handles, a small young generation, few arenas', async t => {
	const site = await ImportInstallation.make(t);
	const { home, places } = site;
	const starter = join(home, 'starter.mjs');
	const proofs = join(home, 'proofs');
	await writeFile(
		starter,
		`import { appendFileSync } from 'node:fs';
		if (process.argv[1]?.endsWith('zstd-self-test.ts')) appendFileSync(${JSON.stringify(proofs)}, 'one');`,
	);
	const { [zstdProofVariable]: _ours, ...others } = process.env;
	const started: string[] = [];
	const onStart = (pid: number) => {
		for (const file of ['cmdline', 'environ'])
			started.push(...readFileSync(`/proc/${pid}/${file}`, 'latin1').split('\0'));
	};
	const steps = childSteps(home, { env: { ...others, NODE_OPTIONS: `--import=${starter}` }, onStart });
	const order = await steps.plan(places, site.wish(), signal);
	const moment = await steps.begin(places, order, signal);
	await steps.copy(places, { order, moment, maxRateBytes: null }, { signal, onProgress: () => {} });
	assert.equal(await readFile(proofs, 'utf8'), 'one');
	for (const said of ['--max-semi-space-size=4', 'MALLOC_ARENA_MAX=2']) assert.ok(started.includes(said), said);
});

test('a process for which there are no descriptors is an error, and ends nobody who asked', async t => {
	const site = await ImportInstallation.make(t);
	const program = new URL('../equipment/ask-child-without-descriptors.ts', import.meta.url).pathname;
	const call = JSON.stringify({ do: 'plan', home: site.home, places: site.places, ...site.wish() });
	const { stdout } = await runTool('sh', ['-c', 'ulimit -n 64; exec "$0" "$@"', process.execPath, program, call], {
		hint: 'install dash',
	});
	assert.equal(stdout.trim(), 'import_failed');
});
