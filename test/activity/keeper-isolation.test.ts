import assert from 'node:assert/strict';
import { mkdir, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { findIsolation, isolated, isolationOf } from '../../keeper/door/isolation.ts';
import { keysIn, makeKeys, removeOtherKeys } from '../../keeper/door/keys.ts';
import { places } from '../../system/installation.ts';
import { runTool } from '../../system/run-tool.ts';
import { waitFor } from '../../system/wait.ts';
import { captive, temporaryDirectory } from '../equipment/captive.ts';

suite('a network namespace', () => {
	test('has nothing but loopback, is of the pid that was started, and can be entered', async t => {
		const inside = isolated({ command: 'sleep', args: ['600'] }, await findIsolation());
		const { child } = captive(t, inside.command, inside.args);
		const there = await waitFor('its own namespace', () => isolationOf(child.pid ?? 0), { timeoutMs: 10_000 });
		assert.notEqual(there.namespace, await readlink('/proc/self/ns/net'));
		const [command = '', ...args] = there.enter;
		const links = await waitFor(
			'loopback to be up',
			async () => {
				const { code, stdout, stderr } = await runTool(command, [...args, 'ip', '-o', 'link'], { hint: '' });
				assert.equal(code, 0, stderr);
				return /lo: .*UP/.test(stdout) && stdout;
			},
			{ timeoutMs: 10_000 },
		);
		assert.equal(links.trimEnd().split('\n').length, 1);
	});

	test('that cannot be had is refused with the remedy', async t => {
		const directory = await temporaryDirectory(t);
		await writeFile(
			join(directory, 'unshare'),
			'#!/bin/sh\necho unshare failed: Operation not permitted >&2\nexit 1\n',
			{ mode: 0o755 },
		);
		const { PATH = '' } = process.env;
		process.env['PATH'] = `${directory}:${PATH}`;
		t.after(() => (process.env['PATH'] = PATH));
		await assert.rejects(findIsolation(), {
			code: 'precheck_failed',
			message: /Operation not permitted/,
			hint: /temporal\.isolation: none/,
		});
	});

	test('of one that has not left ours is none', async () => {
		assert.equal(await isolationOf(process.pid), undefined);
		assert.equal(await isolationOf(2 ** 22), undefined);
	});
});

suite('`makeKeys`', () => {
	test('makes keys for their owner alone, of all times, and the key that signed them is nowhere', async t => {
		const home = await temporaryDirectory(t);
		const directory = await makeKeys(home);
		const { authority, door, client } = keysIn(directory);
		for (const path of [authority, door.key, door.certificate, client.key, client.certificate])
			assert.equal((await stat(path)).mode & 0o777, 0o600, path);
		const { stdout: files } = await runTool('ls', [directory], { hint: '' });
		assert.deepEqual(files.trimEnd().split('\n'), [
			'authority.crt',
			'client.crt',
			'client.key',
			'door.crt',
			'door.key',
		]);
		for (const [path, use] of [
			[door.certificate, 'TLS Web Server Authentication'],
			[client.certificate, 'TLS Web Client Authentication'],
		] as const) {
			const { stdout } = await runTool('openssl', ['x509', '-in', path, '-noout', '-text'], { hint: '' });
			assert.match(stdout, /Not Before: Jan {2}1 00:00:00 1970 GMT\n +Not After : Dec 31 23:59:59 9999 GMT/);
			assert.match(stdout, new RegExp(`Extended Key Usage: critical\n +${use}\n`));
			assert.match(stdout, /CA:FALSE/);
		}
	});

	test('of a home where somebody died over them works, and `removeOtherKeys` takes what that left', async t => {
		const home = await temporaryDirectory(t);
		const left = join(places.temporalKeys(home), 'making-abc');
		await mkdir(left, { recursive: true });
		const first = await makeKeys(home);
		const second = await makeKeys(home);
		await removeOtherKeys(second);
		await stat(second);
		for (const path of [left, first]) await assert.rejects(stat(path), { code: 'ENOENT' });
	});
});
