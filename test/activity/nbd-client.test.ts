import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { SourceExtent } from '../../repository/import/disk-source.ts';
import { NbdClient } from '../../nbd/client/client.ts';
import { parseNbdUri } from '../../nbd/protocol/uri.ts';
import { openSource } from '../../sources/open-source.ts';
import { waitFor } from '../../system/wait.ts';
import { captive, nbdkit, qemuNbd, temporaryDirectory } from '../equipment/captive.ts';
import { freePort } from '../../system/free-port.ts';

const never = new AbortController().signal;

async function opened(t: TestContext, socket: string, exportName = ''): Promise<NbdClient> {
	const client = await NbdClient.open({ address: { path: socket }, exportName }, never);
	t.after(() => client.close());
	return client;
}

async function extentsOf(client: NbdClient): Promise<SourceExtent[]> {
	const all: SourceExtent[] = [];
	for await (const extent of client.extents(never)) all.push(extent);
	return all;
}

async function bytesAt(client: NbdClient, offsetBytes: number, lengthBytes: number): Promise<Buffer> {
	const into = Buffer.alloc(lengthBytes, 0xee);
	await client.read(offsetBytes, into, never);
	return into;
}

/** nbdkit's own words for: "AB" at 1 MiB, zeros else, 3 MiB + 5 bytes in all. */
const sample = ['data', 'data=@0x100000 0x41 0x42', 'size=3145733'];

test('`NbdClient` gives extents and bytes of the server', async t => {
	const client = await opened(t, (await nbdkit(t, sample)).socket);
	assert.equal(client.sizeBytes, 3_145_733);
	assert.deepEqual(await extentsOf(client), [
		{ offsetBytes: 0, lengthBytes: 1_048_576, kind: 'zero' },
		{ offsetBytes: 1_048_576, lengthBytes: 32_768, kind: 'data' }, // nbdkit's pages
		{ offsetBytes: 1_081_344, lengthBytes: 2_064_389, kind: 'zero' },
	]);
	assert.equal((await bytesAt(client, 1_048_575, 4)).toString('latin1'), '\0AB\0');
	assert.deepEqual(await bytesAt(client, 3_145_728, 5), Buffer.alloc(5));
});

test('an NBD source is told by its export, without socket and path', async t => {
	const { socket } = await nbdkit(t, sample);
	const originOf = async (exportName: string) => {
		const source = await openSource(`nbd+unix:///${exportName}?socket=${socket}`, { signal: never });
		t.after(() => source.close());
		return source.facts;
	};
	assert.deepEqual(await originOf(''), { origin: { kind: 'nbd', detail: 'default export' }, serial: null });
	assert.equal((await originOf('srv/disks/root')).origin.detail, 'export root');
});

for (const [what, limit] of [
	['without the fixed handshake', '--mask-handshake=0'],
	['without NO_ZEROES', '--mask-handshake=1'],
	['without structured replies', '--no-sr'],
] as const)
	test(`\`NbdClient\` reads the same from a server ${what}`, async t => {
		const client = await opened(t, (await nbdkit(t, [limit, ...sample])).socket);
		assert.equal(client.sizeBytes, 3_145_733);
		assert.equal((await bytesAt(client, 1_048_575, 4)).toString('latin1'), '\0AB\0');
		assert.equal(client.hasBlockStatus, limit === '--mask-handshake=1');
		if (client.hasBlockStatus) return;
		assert.deepEqual(await extentsOf(client), [{ offsetBytes: 0, lengthBytes: 3_145_733, kind: 'data' }]);
	});

test('`NbdClient.extents` describes a disk of 3 TiB whole, in questions of under 2 GiB', async t => {
	const size = 3 * 2 ** 40;
	const client = await opened(t, (await nbdkit(t, ['data', `data=@${size - 4096} 1*4096`, `size=${size}`])).socket);
	assert.equal(client.sizeBytes, size);
	assert.deepEqual(await extentsOf(client), [
		{ offsetBytes: 0, lengthBytes: size - 32_768, kind: 'zero' },
		{ offsetBytes: size - 32_768, lengthBytes: 32_768, kind: 'data' },
	]);
	assert.equal((await bytesAt(client, size - 4096, 1))[0], 1);
});

test('`NbdClient.read` 64 times at once gives the right bytes, those larger than one request too', async t => {
	const directory = await temporaryDirectory(t);
	const content = randomBytes(40 * 2 ** 20);
	const path = join(directory, 'disk.raw');
	await writeFile(path, content);
	const { socket } = await qemuNbd(t, ['-r', '-f', 'raw', path]);
	const client = await opened(t, socket);
	const places = Array.from({ length: 64 }, (_, index) => index * 600_001);
	const pieces = await Promise.all(places.map(place => bytesAt(client, place, 300_007)));
	for (const [index, piece] of pieces.entries()) {
		const place = places[index] ?? 0;
		assert.ok(piece.equals(content.subarray(place, place + 300_007)), `bytes at ${place}`);
	}
	assert.ok((await bytesAt(client, 0, content.length)).equals(content));
});

test('`NbdClient.read` asks a server that only takes whole blocks for whole blocks', async t => {
	const directory = await temporaryDirectory(t);
	const content = randomBytes(65536);
	await writeFile(join(directory, 'disk.raw'), content);
	const { socket } = await nbdkit(t, [
		'--filter=blocksize-policy',
		'file',
		join(directory, 'disk.raw'),
		'blocksize-error-policy=error',
		'blocksize-minimum=4096',
		'blocksize-maximum=8192',
	]);
	const client = await opened(t, socket);
	assert.ok((await bytesAt(client, 5000, 30_000)).equals(content.subarray(5000, 35_000)));
});

test('`NbdClient.extents` takes a hole that is not known to be zero for data', async t => {
	const { socket } = await nbdkit(t, [
		'eval',
		'get_size=echo 65536',
		'pread=dd if=/dev/zero bs=$3 count=1 status=none',
		'can_extents=exit 0',
		'extents=echo 0 32768 hole; echo 32768 32768 hole,zero',
	]);
	const client = await opened(t, socket);
	assert.deepEqual(await extentsOf(client), [
		{ offsetBytes: 0, lengthBytes: 32_768, kind: 'data' },
		{ offsetBytes: 32_768, lengthBytes: 32_768, kind: 'zero' },
	]);
});

test('`NbdClient.read` that the server refuses names errno and offset', async t => {
	const client = await opened(
		t,
		(await nbdkit(t, ['--filter=error', ...sample, 'error-pread=EIO', 'error-rate=100%'])).socket,
	);
	await assert.rejects(bytesAt(client, 8192, 512), {
		code: 'source_invalid',
		message: /^source read: EIO at offset 8192 \(512 bytes\)/,
	});
});

test('an NBD source that refuses a read, or ends, is told by its URI, with what to do', async t => {
	const { socket, end } = await nbdkit(t, ['--filter=error', ...sample, 'error-pread=EIO', 'error-rate=100%']);
	const uri = `nbd+unix:///?socket=${socket}`;
	const source = await openSource(uri, { signal: never });
	t.after(() => source.close());
	const told = (code: string) => (error: { code?: string; message: string; hint?: string }) => {
		assert.equal(error.code, code);
		assert.ok(error.message.startsWith(`${uri}: `), error.message);
		assert.match(error.hint ?? '', /server/);
		return true;
	};
	await assert.rejects(source.read(8192, Buffer.alloc(512), never), told('source_invalid'));
	await end('SIGKILL');
	await assert.rejects(source.read(8192, Buffer.alloc(512), never), told('source_unreachable'));
	await assert.rejects(openSource(uri, { signal: never }), told('source_unreachable'));
});

test('`NbdClient.open` of an export that is not there names it', async t => {
	const { socket } = await nbdkit(t, ['--filter=exportname', 'null', '1M', 'exportname=web', 'exportname-strict=true']);
	await assert.rejects(NbdClient.open({ address: { path: socket }, exportName: 'db' }, never), {
		code: 'source_invalid',
		message: /"db"/,
	});
	assert.equal((await opened(t, socket, 'web')).sizeBytes, 2 ** 20);
});

test('`NbdClient`: nobody listening is unreachable, and so is a server that vanishes: every waiting read hears of it', async t => {
	const directory = await temporaryDirectory(t);
	await assert.rejects(NbdClient.open({ address: { path: join(directory, 'none.sock') }, exportName: '' }, never), {
		code: 'source_unreachable',
		message: /ENOENT/,
	});
	const server = await nbdkit(t, ['--filter=delay', ...sample, 'rdelay=600']);
	const client = await opened(t, server.socket);
	const waiting = [bytesAt(client, 0, 512), bytesAt(client, 4096, 512)];
	const settled = Promise.allSettled(waiting);
	await server.end('SIGKILL');
	await settled;
	for (const read of waiting) await assert.rejects(read, { code: 'source_unreachable' });
	await assert.rejects(bytesAt(client, 0, 512), { code: 'source_unreachable' });
});

test('`NbdClient.open` reaches a server over TCP as well', async t => {
	const port = await freePort();
	const server = captive(t, 'nbdkit', ['-f', '-i', '127.0.0.1', '-p', String(port), ...sample]);
	const target = parseNbdUri(`nbd://127.0.0.1:${port}/`);
	const client = await waitFor(
		'nbdkit on a port',
		() =>
			NbdClient.open(target, never).catch(error => {
				if (server.child.exitCode !== null) throw new Error(server.said(), { cause: error });
				return undefined;
			}),
		{ timeoutMs: 10_000 },
	);
	t.after(() => client.close());
	assert.equal((await bytesAt(client, 1_048_575, 4)).toString('latin1'), '\0AB\0');
});

test('`NbdClient.read` that waits ends with an abort, at once and with the reason given', async t => {
	const server = await nbdkit(t, ['--filter=delay', ...sample, 'rdelay=600']);
	const client = await opened(t, server.socket);
	const stop = new AbortController();
	const read = client.read(0, Buffer.alloc(512), stop.signal);
	const reason = new Error('enough');
	stop.abort(reason);
	await assert.rejects(read, reason);
	await server.end('SIGKILL');
});

test('`NbdClient.close` says goodbye: the server sees a disconnect, not a broken connection', async t => {
	const server = await nbdkit(t, ['-v', ...sample]);
	const client = await opened(t, server.socket);
	await client.close();
	await client.close();
	await waitFor('nbdkit to see NBD_CMD_DISC', () => /client sent NBD_CMD_DISC/.test(server.said()), {
		timeoutMs: 10_000,
	});
	await assert.rejects(bytesAt(client, 0, 512), { code: 'source_unreachable' });
});
