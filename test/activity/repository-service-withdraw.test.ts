import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { chunkProtocol } from '../../movers/repository-mover/protocol/wire.ts';
import { withdrawHost } from '../../repository/service/admitted-hosts.ts';
import { admitHost, type HostKeys } from '../../repository/service/service-keys.ts';
import { places } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { rouse } from '../equipment/command-line.ts';
import { serveSample } from '../equipment/repository-service.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';

/** A connection of a host, when it is secure or was cut. */
async function secured(
	port: number,
	{ authority, certificate, key }: HostKeys,
	protocol = 'http/1.1',
): Promise<TLSSocket> {
	const [ca, cert, secret] = await Promise.all([authority, certificate, key].map(path => readFile(path)));
	assert.ok(ca && cert && secret);
	const shown = { ca, cert, key: secret, checkServerIdentity: () => undefined };
	const socket = connect({ port, host: '127.0.0.1', ALPNProtocols: [protocol], ...shown });
	socket.on('error', () => {});
	await Promise.race([once(socket, 'secureConnect'), once(socket, 'close')]);
	return socket;
}

/** The same, after an answer to what nobody serves; undefined where it is cut without one. */
async function enter(port: number, keys: HostKeys): Promise<TLSSocket | undefined> {
	const socket = await secured(port, keys);
	if (socket.closed) return undefined;
	const closed = once(socket, 'close').then(() => undefined);
	socket.write('GET /none HTTP/1.1\r\nhost: x\r\n\r\n');
	const said = await Promise.race([once(socket, 'data'), closed]);
	return said && socket;
}

test('`host withdraw` cuts a host off from `repo serve`, also where it is connected, and nobody else', async t => {
	const directory = await temporaryDirectory(t);
	const home = join(directory, 'home');
	await storeDisk(join(directory, 'repository'), sampleDisk(1024 * 1024));
	const { port, service, said } = await serveSample(t, directory);
	const other = await admitHost(home, 'hv2', join(directory, 'hv2'));
	const toTemporal = await admitHost(home, 'hv3', join(directory, 'hv3'), ['temporal']);
	assert.equal(await enter(port, toTemporal), undefined);
	const [first, second] = [await enter(port, service), await enter(port, other)];
	assert.ok(first && second);
	t.after(() => second.destroy());
	const forChunks = await secured(port, service, chunkProtocol);
	const { exitCode, stderr } = await rouse(home, ['host', 'withdraw', 'hv1']);
	assert.equal(exitCode, 0, stderr);
	assert.equal(await enter(port, service), undefined);
	await waitFor('the open connections to be cut', () => first.closed && forChunks.closed, { timeoutMs: 10_000 });
	assert.equal(second.closed, false);

	const unknown = await rouse(home, ['host', 'withdraw', 'hv1']);
	assert.equal(unknown.exitCode, 5);
	assert.match(unknown.stderr, /hv1 is not admitted[^]*hv2, hv3/);

	const record = join(places.repositoryKeys(home), 'admitted.json');
	await rename(record, `${record}.whole`);
	await writeFile(record, '{"hosts": [{}]}');
	assert.equal(await enter(port, other), undefined, 'a record that says nothing lets nobody in');
	await waitFor('its reason', () => /admitted\.json, which says what hosts are let in/.test(said()), {
		timeoutMs: 10_000,
	});
	assert.equal(second.closed, false, 'nobody was withdrawn');
	await rename(`${record}.whole`, record);
	(await enter(port, other))?.destroy();
	assert.equal(await withdrawHost(home, 'hv2'), true);
	await waitFor('the other connection to be cut', () => second.closed, { timeoutMs: 10_000 });
});
