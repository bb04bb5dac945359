import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { inspectAll } from '../../cli/setup/doctor.ts';
import { atLeast } from '../../system/tool-version.ts';
import { inspectTool, tools } from '../../cli/setup/tools.ts';
import { captive, temporaryDirectory } from '../equipment/captive.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { waitFor } from '../../system/wait.ts';

describe('a version', () => {
	it('is compared by numbers, and a missing part is zero', () => {
		assert.deepEqual(
			[
				['7.10.1', '7.2'],
				['7.2', '7.2.0'],
				['7.1.9', '7.2'],
				['10', '9.9'],
			].map(([version = '', least = '']) => atLeast(version, least)),
			[true, true, false, true],
		);
	});
});

describe('a tool', () => {
	it('that is not there is missing, whatever it is called', async () => {
		const tool = { name: 'x', purpose: 'y', debianPackage: 'z', probe: { command: '/nonexistent/x' } };
		assert.deepEqual(await inspectTool(tool), {
			name: 'x',
			purpose: 'y',
			ok: false,
			version: null,
			problem: 'not found',
		});
	});

	it('that is too old is missing, and says what is needed', async () => {
		const tool = {
			name: 'node',
			purpose: 'y',
			debianPackage: 'z',
			probe: { command: process.execPath, least: '99.1' },
		};
		const finding = await inspectTool(tool);
		assert.deepEqual(
			[finding.ok, finding.version, finding.problem],
			[false, process.versions.node, '99.1 or newer is needed'],
		);
	});
});

/** `rouse doctor --json` where PATH has nothing but what is named. */
async function doctorWith(t: TestContext, ...programs: string[]) {
	const directory = await temporaryDirectory(t);
	const bin = join(directory, 'bin');
	await mkdir(bin);
	for (const name of programs) await symlink(`/usr/bin/${name}`, join(bin, name));
	const env = `PATH=${bin}`;
	const home = [`ROUSE_HOME=${directory}/home`, `XDG_CACHE_HOME=${directory}/cache`];
	const main = join(checkoutDirectory, 'cli', 'main.ts');
	const doctor = captive(t, '/usr/bin/env', [env, ...home, process.execPath, main, 'doctor']);
	await waitFor('doctor to end', () => doctor.child.exitCode !== null, { timeoutMs: 30_000 });
	await doctor.end();
	return { exitCode: doctor.child.exitCode, said: doctor.said() };
}

describe('rouse doctor', () => {
	it('names what is missing with the command that mends it, and ends with 4', async t => {
		const { exitCode, said } = await doctorWith(t, 'flock', 'fio');
		assert.equal(exitCode, 4);
		assert.match(said, /^BAD +qemu-img +not found/m);
		assert.match(said, /^ok +fio/m);
		assert.match(said, /apt-get install -y --no-install-recommends qemu-utils/);
		assert.match(said, /^ {2}rouse setup$/m);
	});

	it('looks at every tool of the table', async () => {
		const context = { env: { ...process.env, ROUSE_HOME: '/nonexistent' }, signal: new AbortController().signal };
		const names = (await inspectAll(context)).map(({ name }) => name);
		for (const { name } of tools) assert.ok(names.includes(name), name);
	});
});
