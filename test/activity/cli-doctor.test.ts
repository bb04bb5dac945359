import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { inspectAll, inspectConfig } from '../../cli/setup/doctor.ts';
import { atLeast } from '../../system/tool-version.ts';
import { cachedTemporal, findTemporal } from '../../keeper/temporal-cli.ts';
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

interface DoctorOptions {
	/** What `qemu-system-x86_64` is, as a shell's commands. */
	qemu?: string;
	config?: string;
}

/** `rouse doctor` where PATH has nothing but what is named. */
async function doctorWith(t: TestContext, programs: readonly string[], { qemu, config = '' }: DoctorOptions = {}) {
	const directory = await temporaryDirectory(t);
	const bin = join(directory, 'bin');
	await mkdir(bin);
	for (const name of programs) await symlink(`/usr/bin/${name}`, join(bin, name));
	if (qemu !== undefined) await writeFile(join(bin, 'qemu-system-x86_64'), `#!/bin/sh\n${qemu}\n`, { mode: 0o755 });
	await mkdir(join(directory, 'home'));
	await writeFile(join(directory, 'home', 'config.yaml'), config);
	const env = `PATH=${bin}`;
	const home = [`ROUSE_HOME=${directory}/home`, `XDG_CACHE_HOME=${directory}/cache`];
	const main = join(checkoutDirectory, 'cli', 'main.ts');
	const doctor = captive(t, '/usr/bin/env', [env, ...home, process.execPath, main, 'doctor']);
	await waitFor('doctor to end', () => doctor.child.exitCode !== null, { timeoutMs: 30_000 });
	await doctor.end();
	return { exitCode: doctor.child.exitCode, said: doctor.said() };
}

describe('rouse doctor', () => {
	it('says of a home and a config.yaml that are not there that they are not', async t => {
		const home = join(await temporaryDirectory(t), 'home');
		const version = async () => (await inspectConfig(home)).check.version;
		assert.equal(await version(), 'no home yet: rouse up makes it');
		await mkdir(home, { mode: 0o700 });
		assert.equal(await version(), 'not there: all defaults');
		await writeFile(join(home, 'config.yaml'), '');
		assert.equal(await version(), 'there');
	});

	it('names what is missing with the command that mends it, and ends with 4', async t => {
		const { exitCode, said } = await doctorWith(t, ['flock', 'openssl']);
		assert.equal(exitCode, 4);
		assert.match(said, /^BAD +qemu-img +not found/m);
		assert.match(said, /^ok +openssl/m);
		assert.match(said, /apt-get install -y --no-install-recommends qemu-utils/);
		assert.match(said, /^ {2}rouse setup$/m);
		assert.match(said, /^ok +kvm-bios +not tried: qemu-\S+ is not installed/m);
	});

	// Ends under KVM as QEMU does when the kernel refuses a register; where there is no KVM it is not even asked.
	const withoutKvm = [
		'case "$*" in',
		'*--version*) echo "QEMU emulator version 7.2.0";;',
		'*-accel*) echo "error: failed to set MSR 0x10a to 0x69" >&2; kill -ABRT $$;;',
		'esac',
	].join('\n');

	it('tells of each kind of machine whether KVM runs it, and why not; that it does not is no fault', async t => {
		const { said } = await doctorWith(t, ['flock', 'qemu-img', 'setpriv'], { qemu: withoutKvm });
		for (const kind of ['bios', 'efi', 'windows-bios', 'windows-efi'])
			assert.match(said, new RegExp(`^ok +kvm-${kind} +emulated, many times slower: (.*MSR 0x10a|/dev/kvm)`, 'm'));
	});

	it('takes a KVM that does not work for a fault where the configuration demands it', async t => {
		const config = 'host: { accelerator: kvm }\n';
		const { said, exitCode } = await doctorWith(t, ['flock', 'qemu-img', 'setpriv'], { qemu: withoutKvm, config });
		assert.equal(exitCode, 4);
		assert.match(said, /^BAD +kvm-bios +.*KVM is demanded: (.*MSR 0x10a|\/dev\/kvm)/m);
		assert.match(said, /edit .*config\.yaml/);
	});

	it('tells whether QEMU runs in its sandbox, and why not', async t => {
		const programs = ['flock', 'qemu-img', 'setpriv'];
		const compiledOut = `case "$*" in *-sandbox*) echo "qemu: -sandbox: not enabled in this binary" >&2; exit 1;; esac`;
		const without = await doctorWith(t, programs, { qemu: `${compiledOut}\n${withoutKvm}` });
		assert.match(without.said, /^ok +qemu-sandbox +off, .*not enabled in this binary/m);
		const within = await doctorWith(t, programs, { qemu: withoutKvm });
		assert.match(within.said, /^ok +qemu-sandbox +on /m);
		// Neither unshare(1) nor a QEMU that another user could start is in this PATH.
		assert.match(within.said, /^ok +qemu-user +the one that Rouse has: /m);
	});

	it('looks at every tool of the table', async () => {
		const context = { env: { ...process.env, ROUSE_HOME: '/nonexistent' }, signal: new AbortController().signal };
		const names = (await inspectAll(context)).map(({ name }) => name);
		for (const { name } of tools) assert.ok(names.includes(name), name);
	});
});

describe('the Temporal that is used', () => {
	/** With a `temporal` in PATH, and perhaps one in the cache, that say this of themselves. */
	async function found(t: TestContext, inPath: string, cached?: string) {
		const directory = await temporaryDirectory(t);
		const place = async (path: string, says: string) => {
			await mkdir(dirname(path), { recursive: true });
			await writeFile(path, `#!/bin/sh\necho '${says}'\n`, { mode: 0o755 });
		};
		await place(join(directory, 'bin', 'temporal'), inPath);
		if (cached !== undefined) await place(cachedTemporal(directory), cached);
		const path = process.env['PATH'];
		process.env['PATH'] = `${directory}/bin:${path}`;
		try {
			return await findTemporal(directory);
		} finally {
			process.env['PATH'] = path;
		}
	}
	const tried = 'temporal version 1.8.2 (Server 1.31.2, UI 2.54.0)';

	it('is the one of PATH when its release was tried, else the one of the cache', async t => {
		assert.deepEqual(await found(t, tried), { path: 'temporal', server: '1.31.2', from: 'PATH' });
		for (const other of [
			'temporal version 1.8.3 (Server 1.31.2, UI 2.54.0)',
			'temporal version 1.8.2 (Server 1.32.0, UI 2.54.0)',
			'temporal version 1.8.2-rc.1 (Server 1.31.2, UI 2.54.0)',
			'temporal version 1.8.2 (Server 1.31.2-cloud.1, UI 2.54.0)',
			'Server 1.31.2',
		]) {
			assert.equal((await found(t, other, tried))?.from, 'cache', other);
			assert.equal(await found(t, other, other), undefined, other);
		}
	});
});
