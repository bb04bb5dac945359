import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect as connectPlain, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect, type ConnectionOptions } from 'node:tls';
import type { MoverDisk } from '../../movers/config.ts';
import { RepositoryMoverClient } from '../../movers/repository-mover/client.ts';
import { openRepositoryMover } from '../../movers/repository-mover/open-client.ts';
import { serveTls } from '../../movers/repository-mover/serve-tls.ts';
import { overTls, readCredentials } from '../../movers/repository-mover/tls-connections.ts';
import { encodeClientHello } from '../../movers/repository-mover/protocol/hello.ts';
import { chunkProtocol } from '../../movers/repository-mover/protocol/wire.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { makeToken, readToken } from '../../repository/service/point-token.ts';
import { readTokenKey, serviceKeys } from '../../repository/service/service-keys.ts';
import { openRepository } from '../../repository/repository.ts';
import { readPoint } from '../../repository/points.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { connectTo, mountState, startMountMover } from '../equipment/mount-movers.ts';
import { allocateTarget, checkClaims, migrationState, startMigrationMover } from '../equipment/movers.ts';
import { importDisks, wholeSource } from '../equipment/repositories.ts';
import {
	handOut,
	handToken,
	type RepositoryService,
	serveSample,
	startRepositoryService,
} from '../equipment/repository-service.ts';
import { run } from '../equipment/served-disk.ts';
import { sampleDisk, storeDisk, type StoredDisk } from '../equipment/stored-disk.ts';

const MiB = 1024 * 1024;

interface Bench {
	directory: string;
	stored: StoredDisk;
	disk: MoverDisk;
	served: RepositoryService;
	/** What movers are started with, instead of the socket. */
	byTls: { chunkSocket: undefined; chunkService: RepositoryService['service'] };
}

async function bench(t: TestContext, sizeBytes = 6 * MiB): Promise<Bench> {
	const directory = await temporaryDirectory(t);
	const stored = await storeDisk(join(directory, 'repository'), sampleDisk(sizeBytes));
	const disk = await allocateTarget(directory, stored.image);
	const served = await serveSample(t, directory);
	return { directory, stored, disk, served, byTls: { chunkSocket: undefined, chunkService: served.service } };
}

/** The tokens and keys that nobody may read elsewhere. */
async function secretsOf({ service }: RepositoryService): Promise<string[]> {
	const [token, key] = [await readFile(service.token, 'utf8'), await readFile(service.key, 'utf8')];
	return [token.trim(), token.trim().split('.')[1] ?? '', key.split('\n')[1] ?? ''];
}

test('a mount mover reads every byte of a disk by TLS, through a death of `repo serve`', async t => {
	const { directory, stored, disk, served, byTls } = await bench(t);
	const mover = await startMountMover(t, directory, [disk], byTls);
	const copy = join(directory, 'copy.raw');
	await run('nbdcopy', [mover.uri('disk0'), copy]);
	assert.ok((await readFile(copy)).equals(stored.bytes));
	await served.end('SIGKILL');
	const second = await startMountMover(t, directory, [disk], { ...byTls, cacheBytes: 0 });
	const client = await connectTo(t, second, 'disk0');
	const reading = client.read(0, 3 * MiB);
	await mountState(second, 'to find nobody', ({ failure }) => failure?.code === 'mover_unreachable');
	await startRepositoryService(t, directory, join(directory, 'repository'), { port: served.port });
	assert.ok((await reading).equals(stored.bytes.subarray(0, 3 * MiB)));
	for (const secret of await secretsOf(served))
		for (const said of [
			served.said(),
			mover.said(),
			second.said(),
			...mover.child.spawnargs,
			...served.child.spawnargs,
		])
			assert.ok(!said.includes(secret));
});

test('a migration mover fills its target by TLS', async t => {
	const { directory, stored, disk, byTls } = await bench(t);
	const mover = await startMigrationMover(t, directory, [disk], {}, byTls);
	await mover.control.copy(0);
	await migrationState(mover, 'all restored', ({ disks }) => disks.every(({ complete }) => complete));
	await mover.end();
	assert.equal((await checkClaims(stored, disk)).complete, true);
});

/** What somebody sees who calls and says a good hello: the other's certificate, and all bytes that come. */
async function seenBy(port: number, how: ConnectionOptions | 'plain'): Promise<{ names: string; bytes: Buffer }> {
	const to = { host: '127.0.0.1', port, ALPNProtocols: [chunkProtocol] };
	const socket = how === 'plain' ? connectPlain(to) : connect({ ...to, rejectUnauthorized: false, ...how });
	let names = '';
	let bytes = Buffer.alloc(0);
	socket.setTimeout(30_000, () => socket.destroy());
	socket.on('error', () => {});
	socket.on('data', (part: Buffer) => (bytes = Buffer.concat([bytes, part])));
	socket.once('secureConnect', () => {
		if ('getPeerCertificate' in socket) names = JSON.stringify(socket.getPeerCertificate(true).subject);
	});
	socket.once(how === 'plain' ? 'connect' : 'secureConnect', () =>
		socket.write(encodeClientHello({ naming: 'places', says: 'no token' })),
	);
	await new Promise(resolve => socket.once('close', resolve));
	return { names, bytes };
}

test('`repo serve` tells nothing to who has no certificate of its installation, not even what it is', async t => {
	const { directory, served } = await bench(t, MiB);
	const { service } = served;
	const show = async ({ certificate, key }: { certificate: string; key: string }) => ({
		cert: await readFile(certificate),
		key: await readFile(key),
	});
	const strangers = join(directory, 'strangers');
	await mkdir(strangers);
	const other = await handOut(join(strangers, 'home'), strangers, join(directory, 'repository'));
	const ours = await show(service);
	const knocks: [string, ConnectionOptions][] = [
		['nobody in particular', {}],
		['a host of another installation', await show(other)],
		['the certificate of the service itself', await show((await serviceKeys(join(directory, 'home'))).server)],
		['an old protocol', { ...ours, maxVersion: 'TLSv1.2' }],
	];
	for (const [who, how] of knocks) {
		const { names, bytes } = await seenBy(served.port, how);
		assert.equal(bytes.length, 0, who);
		assert.doesNotMatch(names, /rouse|repositor|chunk|backup/i, who);
	}
	const plain = await seenBy(served.port, 'plain');
	// An alert of TLS (RFC 8446, 6): what any server of it says.
	assert.ok(
		plain.bytes.length <= 7 && (plain.bytes.length === 0 || plain.bytes[0] === 21),
		plain.bytes.toString('hex'),
	);
	assert.match((await seenBy(served.port, ours)).bytes.toString('latin1'), /access_denied/);
});

test('a mover does not give its token to who is not the service of its authority', async t => {
	const { directory, served, stored } = await bench(t, MiB);
	const { authority, certificate, key } = served.service;
	const strangers = await serviceKeys(join(directory, 'another-home'));
	let told = 0;
	for (const [server, message] of [
		[strangers.server, /self-signed|unable to verify/],
		[{ certificate, key }, /unsuitable certificate purpose/], // that of another host would do as well
	] as const) {
		const chunks = (caller: Socket) => void caller.on('data', ({ length }) => (told += length));
		const gate = { admits: async () => true };
		const listen = { host: '127.0.0.1', port: 0 };
		const pretended = await serveTls(listen, { authority, server }, { chunks, asked: () => assert.fail() }, { gate });
		t.after(() => pretended.close());
		const client = await openRepositoryMover({ chunkService: { ...served.service, port: pretended.port } });
		t.after(() => client.close());
		const asking = new DiskReader(new VerifiedChunks(client), stored.image).lookup(0);
		await assert.rejects(asking, { code: 'mover_unreachable', message });
	}
	assert.equal(told, 0);
});

/** Fetches the first chunk by what `changed` says, and all else as it should be. */
async function firstChunk(
	t: TestContext,
	{ served, stored }: Pick<Bench, 'served' | 'stored'>,
	changed: { token?: string },
): Promise<unknown> {
	const { service } = served;
	const client = new RepositoryMoverClient(overTls(service, { ...(await readCredentials(service)), ...changed }));
	t.after(() => client.close());
	const entry = await new DiskReader(new VerifiedChunks(client), stored.image).lookup(0);
	return entry;
}

test('a token that is not whole, of another installation or of another repository or point is `access_denied`', async t => {
	const here = await bench(t, MiB);
	const { directory, served } = here;
	const repository = join(directory, 'repository');
	const token = (await readFile(served.service.token, 'utf8')).trim();
	const tokenOf = async (home: string, of: string, machine?: string) => {
		const into = await temporaryDirectory(t);
		return (await readFile(await handToken(home, into, of, machine), 'utf8')).trim();
	};
	const home = join(directory, 'home');
	const elsewhere = join(await temporaryDirectory(t), 'repository');
	await storeDisk(elsewhere, sampleDisk(MiB)); // the same point but for its repository
	const opened = await openRepository(repository);
	await importDisks(opened, [wholeSource(sampleDisk(MiB, 4))], { machine: 'web02' });
	await opened.store.close();
	assert.ok(await firstChunk(t, here, {}));
	const key = await readTokenKey(await serviceKeys(home));
	const granted = readToken(key, token);
	for (const [what, wrong] of Object.entries({
		'of another point of that name': makeToken(key, { ...granted, manifestDigest: 'ab'.repeat(32) }),
		cut: token.slice(0, -5),
		'of another installation': await tokenOf(join(await temporaryDirectory(t), 'home'), repository),
		'of another repository': await tokenOf(home, elsewhere),
		'of another machine': await tokenOf(home, repository, 'web02'),
	}))
		await assert.rejects(firstChunk(t, here, { token: wrong }), { code: 'access_denied' }, what);
	const client = new RepositoryMoverClient({
		...overTls(served.service, await readCredentials(served.service)),
		hello: { naming: 'places', says: '' },
	});
	t.after(() => client.close());
	await assert.rejects(new DiskReader(new VerifiedChunks(client), here.stored.image).lookup(0), {
		code: 'access_denied',
		message: /missing/,
	});
});

test('what a token opens is what its point names in a place, whatever else a request says', async t => {
	const { directory, served, stored } = await bench(t, MiB);
	const opened = await openRepository(join(directory, 'repository'));
	t.after(() => opened.store.close());
	await importDisks(opened, [wholeSource(sampleDisk(MiB, 4))], { machine: 'web02' });
	const [foreign] = (await readPoint(opened, 'web02', '2026-11-20T03:00:00.000Z')).manifest.disks;
	const [ours, theirs] = [stored.image.root, foreign?.root];
	assert.ok(ours && theirs);
	const connections = overTls(served.service, await readCredentials(served.service));
	const client = new RepositoryMoverClient(connections);
	t.after(() => client.close());
	const place = { root: ours.digest, height: 1, number: 0 };
	const fetch = async (ref: Parameters<typeof client.fetch>[0][number]) => {
		for await (const chunk of client.fetch([ref], { class: 'mount' })) return Buffer.from(chunk.stored);
		return undefined;
	};
	const root = await fetch({ ...ours, place });
	// A foreign reference in a place of ours gives what is ours.
	assert.deepEqual(await fetch({ ...theirs, place }), root);
	await assert.rejects(fetch({ ...theirs, place: { ...place, root: theirs.digest } }), { code: 'access_denied' });
	for (const nowhere of [
		{ height: 0, number: 8 },
		{ height: 1, number: 1 },
		{ height: 2, number: 0 },
	])
		await assert.rejects(
			fetch({ ...ours, place: { ...place, ...nowhere } }),
			{ code: 'protocol' },
			`${nowhere.height}`,
		);
	await assert.rejects(fetch(ours), { code: 'internal' });
});

test('a mover refuses credentials that others may read, or that are not there, with `config_invalid`', async t => {
	const { directory, served } = await bench(t, MiB);
	const open = join(directory, 'open-token');
	await writeFile(open, await readFile(served.service.token));
	await chmod(open, 0o644);
	const invalid = { code: 'config_invalid' };
	await assert.rejects(readCredentials({ ...served.service, token: open }), invalid);
	await assert.rejects(readCredentials({ ...served.service, token: join(directory, 'none') }), invalid);
	await writeFile(join(directory, 'empty'), '\n', { mode: 0o600 });
	await assert.rejects(readCredentials({ ...served.service, token: join(directory, 'empty') }), invalid);
});
