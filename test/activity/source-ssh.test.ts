import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { knownHostLine } from '../../hypervisors/hyperv/host-setup/names.ts';
import { AgentRanges } from '../../sources/ssh/agent/agent-ranges.ts';
import { ScriptedPlatform } from '../../sources/ssh/far/scripted-platform.ts';
import { SshFarSide } from '../../sources/ssh/far/ssh.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { linuxSsh } from '../equipment/linux-ssh.ts';
import { noise } from '../equipment/repositories.ts';

const { signal } = new AbortController();
const kib = 1024;

/** This machine over SSH, and a way to reach it wrongly. */
async function loopback(t: TestContext) {
	const directory = await temporaryDirectory(t);
	const { fingerprint: _, ...ssh } = await linuxSsh(t, join(directory, 'ssh'));
	const key = (await readFile(join(directory, 'ssh', 'host-key.pub'), 'utf8')).trim();
	const knownHostsPath = join(directory, 'known_hosts');
	await writeFile(knownHostsPath, `${knownHostLine(ssh.host, ssh.port, key)}\n`);
	const destination = { ...ssh, knownHostsPath };
	return { directory, destination, far: new SshFarSide(destination) };
}

test('a script over SSH gets its arguments as they are, and its end is told; another host, key or port is refused by its code', async t => {
	const { directory, destination, far } = await loopback(t);
	const words = `it's "$HOME" \`id\` \\ \n *`;
	const { code, stdout, said } = await far.run('printf %s "$1"; echo why >&2; exit 3', [words], signal);
	assert.deepEqual([code, stdout.toString(), said], [3, words, 'why']);
	await assert.rejects(far.run('head -c 5000 /dev/zero', [], signal, { mostBytes: 4000 }), { code: 'protocol' });
	const reason = new Error('enough');
	const abort = new AbortController();
	const sleeping = far.run('sleep 5', [], abort.signal);
	abort.abort(reason);
	await assert.rejects(sleeping, reason);

	const other = join(directory, 'other_hosts');
	const client = (await readFile(`${destination.identityPath}.pub`, 'utf8')).trim();
	await writeFile(other, `${knownHostLine(destination.host, destination.port, client)}\n`);
	const wrong = (more: Partial<typeof destination>) =>
		new SshFarSide({ ...destination, ...more }).run('true', [], signal);
	await assert.rejects(wrong({ knownHostsPath: other }), { code: 'identity_conflict', message: /: SHA256:[\w+/]+$/ });
	const hint = /authorized_keys/;
	await assert.rejects(wrong({ identityPath: join(directory, 'ssh', 'host-key') }), { code: 'access_denied', hint });
	const noKey = join(directory, 'no-key');
	await writeFile(noKey, 'no key\n', { mode: 0o600 });
	await assert.rejects(wrong({ identityPath: noKey }), { code: 'access_denied', hint: /must be a private key/ });
	await assert.rejects(wrong({ port: 1 }), { code: 'source_unreachable' });
});

test('the agent reads ranges and makes digests, tells errors, and has let go of everything when the connection is cut', async t => {
	const { directory, far } = await loopback(t);
	const path = join(directory, 'disk');
	const bytes = Buffer.concat([noise(700 * kib, 1), Buffer.alloc(300 * kib), noise(5 * 1024 * kib + 512, 2)]);
	await writeFile(path, bytes);
	const agent = await AgentRanges.start(far, signal);
	t.after(() => agent.close());
	assert.equal(await agent.sizeOf(path, signal), bytes.length);
	const reads = [
		[0, 512],
		[3, 5],
		[699 * kib, 2 * kib],
		[800 * kib, 64 * kib],
		[0, bytes.length],
		[bytes.length - 1, 1],
	] as const;
	await Promise.all(
		reads.map(async ([at, length]) => {
			const into = Buffer.alloc(length, 0xee);
			await agent.read(path, at, into, signal);
			assert.ok(into.equals(bytes.subarray(at, at + length)), `${length} bytes at ${at}`);
		}),
	);
	const range = { atBytes: 100 * kib, lengthBytes: 1000 * kib, firstBytes: 28 * kib, unitBytes: 128 * kib };
	const digests = await agent.digests(path, range, signal);
	const cuts = [0, ...Array.from({ length: 8 }, (_, index) => (28 + 128 * index) * kib), 1000 * kib];
	assert.deepEqual(
		digests.map(digest => digest.toString('hex')),
		cuts.slice(1).map((end, index) => sha256(bytes.subarray(100 * kib + (cuts[index] ?? 0), 100 * kib + end))),
	);
	await assert.rejects(agent.read(path, bytes.length - 5, Buffer.alloc(10), signal), { code: 'source_invalid' });
	await assert.rejects(agent.sizeOf(`${path}-none`, signal), { code: 'source_invalid' });
	assert.equal(await agent.sizeOf(path, signal), bytes.length, 'an error ends nothing');
	const reason = new Error('enough');
	await assert.rejects(agent.read(path, 0, Buffer.alloc(512), AbortSignal.abort(reason)), reason);

	assert.equal((await holders(path)).length, 1);
	await agent.close();
	await assert.rejects(agent.read(path, 0, Buffer.alloc(512), signal), { code: 'source_unreachable' });
	await waitFor('the agent to end', async () => (await holders(path)).length === 0, { timeoutMs: 20_000 });
});

test('what this machine tells of itself is understood', async t => {
	const { far } = await loopback(t);
	const platform = new ScriptedPlatform(far);
	const facts = await platform.facts(signal);
	assert.ok((facts.cpus ?? 0) > 0 && (facts.memoryMiB ?? 0) > 0 && facts.pageBytes > 0, JSON.stringify(facts));
	assert.ok(facts.hostname !== null && facts.kernel !== null && facts.hasPython);
	assert.ok(Array.isArray(await platform.volumes(signal)));
});

function sha256(bytes: Buffer): string {
	return createHash('sha256').update(bytes).digest('hex');
}

/** Processes that have a file open, but this one. */
async function holders(path: string): Promise<string[]> {
	const found: string[] = [];
	for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name) && name !== String(process.pid))) {
		// It may end meanwhile.
		const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
		const links = await Promise.all(files.map(file => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')));
		if (links.includes(path)) found.push(pid);
	}
	return found;
}
