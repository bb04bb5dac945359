import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { bootstrapCommand, loadDriverScript } from '../../hypervisors/hyperv/driver/bootstrap.ts';
import { connectPipes } from '../../hypervisors/hyperv/driver/pipes.ts';
import { connectDriver } from '../../hypervisors/hyperv/driver/sessions.ts';
import { startRemote } from '../../hypervisors/hyperv/driver/ssh.ts';
import type { SshDestination } from '../../system/ssh-destination.ts';
import { RouseError } from '../../model/errors.ts';
import { runTool } from '../../system/run-tool.ts';
import { waitFor } from '../../system/wait.ts';
import { windowsSsh } from '../equipment/windows-ssh.ts';

const observe = { recoveryId: '11111111-2222-4333-8444-555555555555' };
const pipe = String.raw`\\.\pipe\rouse-com1`;

function nothingThere(line: string, socket: Socket): void {
	socket.write(`${JSON.stringify({ id: JSON.parse(line).id, ok: true, result: null })}\r\n`);
}

async function failure(destination: SshDestination): Promise<RouseError> {
	const driver = await connectDriver(destination);
	try {
		await driver.ask('observe', observe);
	} catch (error) {
		assert.ok(error instanceof RouseError);
		return error;
	} finally {
		await driver.close();
	}
	throw new Error('it was answered');
}

describe('`connectDriver` over a real SSH server', () => {
	it('asks the script that the bootstrap checked, in sessions side by side, and leaves none', async t => {
		const asked: string[] = [];
		const { server } = await windowsSsh(t, {
			driver(line, socket) {
				asked.push(line);
				if (asked.length === 2) nothingThere(line, socket);
				else if (asked.length > 2) for (const each of asked) nothingThere(each, socket);
			},
		});
		const driver = await connectDriver(server.destination);
		const first = driver.ask('observe', observe);
		await waitFor('the first', () => asked.length === 1, { timeoutMs: 20_000 });
		assert.equal(await driver.ask('observe', observe), null);
		assert.deepEqual(JSON.parse(asked[0] ?? ''), { ...observe, id: 1, op: 'observe' });
		const refused = assert.rejects(first, { code: 'hypervisor_failed' });
		await driver.close();
		await refused;
		const sessions = () => runTool('pgrep', ['-f', `ssh .*-i ${server.destination.identityPath}`], { hint: '' });
		await waitFor('their end', async () => (await sessions()).stdout === '', { timeoutMs: 10_000 });
	});

	it('begins a new session after one broke', async t => {
		let sockets = 0;
		const { server } = await windowsSsh(t, {
			driver(line, socket) {
				sockets++;
				if (sockets === 1) socket.destroy();
				else nothingThere(line, socket);
			},
		});
		const driver = await connectDriver(server.destination);
		t.after(() => driver.close());
		await assert.rejects(driver.ask('observe', observe), { code: 'hypervisor_failed' });
		assert.equal(await driver.ask('observe', observe), null);
	});

	it('is `hypervisor_failed` with what to do for a key that is not known there, and for no server', async t => {
		const { server, directory } = await windowsSsh(t, { driver: nothingThere });
		const identityPath = join(directory, 'other-key');
		await runTool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', identityPath], { hint: '' });
		const denied = await failure({ ...server.destination, identityPath });
		assert.equal(denied.code, 'hypervisor_failed');
		assert.match(denied.message, /Permission denied/);
		assert.match(denied.hint ?? '', /administrators_authorized_keys/);
		await server.stop();
		const gone = await failure(server.destination);
		assert.equal(gone.code, 'hypervisor_failed');
		assert.match(gone.hint ?? '', /Start-Service sshd/);
	});

	it('is `identity_conflict` for a host with another key', async t => {
		const { server, directory } = await windowsSsh(t, { driver: nothingThere });
		const knownHostsPath = join(directory, 'known');
		const own = await readFile(`${server.destination.identityPath}.pub`, 'utf8');
		await writeFile(knownHostsPath, `[127.0.0.1]:${server.destination.port} ${own.split(' ').slice(0, 2).join(' ')}\n`);
		assert.equal((await failure({ ...server.destination, knownHostsPath })).code, 'identity_conflict');
		await writeFile(knownHostsPath, '');
		assert.equal((await failure({ ...server.destination, knownHostsPath })).code, 'identity_conflict');
	});

	it('is the same host after a restart of its server', async t => {
		const { server, restart } = await windowsSsh(t, { driver: nothingThere });
		const known = await readFile(server.destination.knownHostsPath, 'utf8');
		await server.stop();
		const again = await restart();
		const driver = await connectDriver(again.destination);
		t.after(() => driver.close());
		assert.equal(await driver.ask('observe', observe), null);
		assert.deepEqual(again.destination, server.destination);
		assert.equal(await readFile(again.destination.knownHostsPath, 'utf8'), known);
	});
});

describe('The stand-in for powershell.exe', () => {
	it('runs no other command, and no other script', async t => {
		const { server } = await windowsSsh(t, { driver: nothingThere });
		const other = startRemote(server.destination, 'powershell.exe -Command whoami');
		assert.match((await other.ended).message, /not recognized/);
		const script = await loadDriverScript();
		const changed = startRemote(server.destination, bootstrapCommand(script));
		changed.stdin.write(script.text.replace("'Off'", "'off'"));
		changed.stdout.resume();
		assert.match((await changed.ended).message, /did not reach .* whole/);
	});
});

describe('`connectPipes`', () => {
	it('joins a stream with a pipe of the host, for any bytes', async t => {
		const { server } = await windowsSsh(t, {
			driver: nothingThere,
			console(line, socket) {
				assert.deepEqual(JSON.parse(line), { pipe });
				socket.removeAllListeners('data');
				socket.write('{"ok":true}\r\nlogin: ');
				socket.on('data', bytes => socket.write(bytes));
			},
		});
		const stream = await (await connectPipes(server.destination)).open(pipe);
		let heard = Buffer.alloc(0);
		stream.on('data', (bytes: Buffer) => {
			heard = Buffer.concat([heard, bytes]);
		});
		const all = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
		await waitFor('the prompt', () => heard.toString('latin1').startsWith('login: '), { timeoutMs: 20_000 });
		stream.write(all);
		await waitFor('the echo', () => heard.length >= 'login: '.length + 256, { timeoutMs: 20_000 });
		assert.deepEqual(heard.subarray('login: '.length), all);
		stream.destroy();
		await once(stream, 'close');
	});

	it('is `phase_wrong` when nobody serves it', async t => {
		const { server } = await windowsSsh(t, {
			driver: nothingThere,
			console: (_, socket) => void socket.write('{"ok":false,"hresult":"0x80131505"}\r\n'),
		});
		const pipes = await connectPipes(server.destination);
		await assert.rejects(pipes.open(pipe), { code: 'phase_wrong' });
	});
});
