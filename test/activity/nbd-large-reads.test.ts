import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { NBD_CMD, NBD_ERROR } from '../../nbd/protocol/constants.ts';
import { nbdUri } from '../../nbd/protocol/uri.ts';
import { type NbdFailure, NbdExports, type Pending } from '../../nbd/server/export.ts';
import { serveNbd } from '../../nbd/server/server.ts';
import { NbdServerSession } from '../../nbd/server/session.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { CountingExport } from '../equipment/counting-export.ts';
import * as client from '../equipment/nbd-client.ts';
import { MemoryExport } from '../equipment/memory-export.ts';
import { noise } from '../equipment/repositories.ts';
import { run } from '../equipment/served-disk.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const content = noise(4 * MiB, 5);

/** What cannot be read of it at once cannot be read at all. */
class FailingExport extends MemoryExport {
	override readLater(_offset: number, _length: number, done: (result: Buffer | NbdFailure) => void): Pending {
		done({ errno: NBD_ERROR.EIO, message: 'the disk is bad' });
		return { cancel() {} };
	}
}

async function serving<T extends MemoryExport>(t: TestContext, disk: T) {
	const socketPath = join(await temporaryDirectory(t), 'nbd.sock');
	const server = await serveNbd(socketPath, new NbdExports([disk]));
	t.after(() => server.close());
	return { disk, socketPath };
}

function handshakeBytes(disk: CountingExport): number {
	const session = new NbdServerSession(new NbdExports([disk]), () => {});
	session.push(client.hello());
	return client.said(session).length;
}

test('`serveNbd`: of large reads no more is read ahead of a client than two pieces, and what its socket holds', async t => {
	const { disk, socketPath } = await serving(t, new CountingExport('disk0', content));
	const socket = connect(socketPath);
	t.after(() => socket.destroy());
	socket.pause();
	socket.write(client.hello());
	for (let n = 0; n < 8; n += 1) socket.write(client.request({ type: NBD_CMD.READ, length: content.length }));
	await waitFor('some of it to be read', () => disk.readBytes >= 256 * KiB, { timeoutMs: 20_000 });
	for (let turns = 0; turns < 100; turns += 1) await turn();
	// net.core.wmem_default, what a socket holds, is 208 KiB.
	assert.ok(disk.readBytes <= 512 * KiB, `${disk.readBytes} bytes`);

	const parts: Buffer[] = [];
	let left = handshakeBytes(disk) + 8 * 32 * (28 + 128 * KiB);
	socket.on('data', (part: Buffer) => {
		parts.push(part);
		left -= part.length;
	});
	socket.resume();
	await waitFor('all of it', () => left === 0, { timeoutMs: 20_000, everyMs: 5 });
	const chunks = client.chunks(Buffer.concat(parts).subarray(handshakeBytes(disk)));
	for (const [at, { payload }] of chunks.entries()) {
		const offset = (at % 32) * 128 * KiB;
		assert.equal(content.compare(payload, 8, 8 + 128 * KiB, offset, offset + 128 * KiB), 0, `piece ${at}`);
	}
});

test('`serveNbd`: an error in the middle of a large read reaches qemu-io, whose next read succeeds', async t => {
	const bad = { from: 2 * MiB, to: 2 * MiB + 512 };
	const { socketPath } = await serving(t, new FailingExport('disk0', content, bad));
	const commands = ['-c', 'read 0 4M', '-c', 'read 3M 1M'];
	const uri = nbdUri(socketPath, 'disk0');
	// It says so of the first, and ends with 1 for it.
	const said = await run('sh', ['-c', 'qemu-io -r -f raw "$@" || [ $? = 1 ]', 'sh', ...commands, uri]);
	assert.match(said, /^read failed: Input\/output error\nread 1048576\/1048576 bytes at offset 3145728\n/);
});
