/** What the suite of machine sources does not ask of a running QEMU: its own deaths, facts, and an agent in the guest. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chown, lstat, mkdir, readdir, rename, symlink, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import * as z from 'zod';
import { agentAt } from '../../sources/qemu/agent.ts';
import { Scratch } from '../../sources/qemu/scratch.ts';
import { QemuMachineSource } from '../../sources/qemu/source.ts';
import { wakeIfStill } from '../../sources/qemu/still.ts';
import { nobody, temporaryDirectory } from '../equipment/captive.ts';
import { mustSurviveDeaths } from '../equipment/killed-source-imports.ts';
import { Driven, signal } from '../equipment/machine-sources/driven.ts';
import { noise } from '../equipment/repositories.ts';
import { SourceQemu } from '../equipment/source-qemu.ts';
import { makeQemuSourceBench, type QemuSourceBench } from '../equipment/source-qemu-bench.ts';

async function benchOf(t: TestContext, more: readonly string[] = []): Promise<QemuSourceBench> {
	const bench = await makeQemuSourceBench(more);
	t.after(() => bench.dispose());
	return bench;
}

const gone = /^the bitmap of what was written to it is gone$/;
for (const [ends, whys] of [
	[['kill'], [gone, gone]],
	[['quit'], [null, gone]],
	[
		['quit', 'kill'],
		[/^its bitmap was in use when QEMU was killed/, gone],
	],
] as const)
	test(`after ${ends.join(' and ')} of QEMU between two imports a disk is read by its changes only where its bitmap was stored`, async t => {
		const bench = await benchOf(t);
		const driven = new Driven(bench);
		const { since, contents: base } = await driven.committed();
		await bench.guest.write('vd0', 512 * 1024, noise(4096, 3));
		for (const how of ends) await bench.restart(how);
		await bench.guest.write('vd0', 900 * 1024, noise(4096, 4));
		await bench.guest.write('vd1', 300 * 1024, noise(4096, 5));
		const order = await driven.order(since);
		for (const [number, { reads, why }] of order.plan.disks.entries()) {
			const wanted = whys[number] ?? null;
			assert.equal(reads, wanted === null ? 'changes' : 'all');
			if (wanted !== null) assert.match(why ?? '', wanted);
		}
		const { moment, contents } = await driven.beginWith(order);
		await driven.mustRead(moment, contents, base);
		await driven.commit(moment, [since.tag]);
		assert.deepEqual(await driven.tagsLeft(), [moment.tag]);
	});

test('a moment of a QEMU that has ended is lost, and what was left of it is removed when QEMU is back', async t => {
	const bench = await benchOf(t);
	const driven = new Driven(bench);
	const order = await driven.order();
	const moment = await driven.begin(order);
	await driven.with(async source => {
		const { source: disk } = await source.open(moment, 'vd0', {}, signal);
		try {
			await bench.qemu().kill();
			await assert.rejects(disk.read(0, Buffer.alloc(512), signal), { code: 'moment_lost' });
		} finally {
			await disk.close();
		}
	});
	await assert.rejects(driven.abandon(order), { code: 'source_unreachable' });
	await bench.restart('kill');
	await assert.rejects(driven.read(moment, 'vd0'), { code: 'moment_lost' });
	await driven.abandon(order);
	assert.deepEqual(await driven.leftovers(), []);
});

test('what is read behind the end of a job is of no moment: `checkUnchanged` is moment_lost', async t => {
	const bench = await benchOf(t);
	const driven = new Driven(bench);
	const moment = await driven.begin(await driven.order());
	await driven.with(async source => {
		const { source: disk } = await source.open(moment, 'vd0', {}, signal);
		try {
			await disk.checkUnchanged?.(signal);
			const jobs = z.array(z.object({ id: z.string() })).parse(await bench.qemu().guest.execute('query-jobs'));
			for (const { id } of jobs) await bench.qemu().guest.execute('job-cancel', { id });
			await disk.read(0, Buffer.alloc(512), signal); // its export goes on, and gives what the disk holds now
			await assert.rejects(async () => disk.checkUnchanged?.(signal), { code: 'moment_lost' });
		} finally {
			await disk.close();
		}
	});
});

test('disks that were given by -drive, without ids and names of nodes, are read by their changes too', async t => {
	const directory = await temporaryDirectory(t);
	const image = join(directory, 'disk');
	await promisify(execFile)('qemu-img', ['create', '-q', '-f', 'qcow2', image, '1M']);
	const args = ['-m', '32', '-drive', `file=${image},format=qcow2,if=virtio`];
	const qemu = await SourceQemu.start(directory, { uuid: randomUUID(), args });
	t.after(() => qemu.kill());
	const contents = Buffer.alloc(2 ** 20);
	const driven = new Driven({
		open: () => new QemuMachineSource(`qemu+qmp://${join(directory, 'backup')}`),
		places: [],
		secrets: [],
		guest: { write: async () => {}, content: async () => Buffer.from(contents) },
		owner: {},
		fate: {},
		dispose: async () => {},
	});
	const { since, contents: base } = await driven.committed();
	await qemu.writesTo('virtio0', 'write -P 7 128k 64k');
	contents.fill(7, 128 * 1024, 192 * 1024);
	const order = await driven.order(since);
	assert.deepEqual(order.plan.disks, [{ key: 'virtio0', reads: 'changes', why: null, expectedBytes: 65_536 }]);
	const { moment, contents: then } = await driven.beginWith(order);
	await qemu.writesTo('virtio0', 'write -P 9 0 1M');
	await driven.mustRead(moment, then, base);
	assert.equal((await driven.read(moment, 'virtio0', base.get('virtio0'))).readBytes, 65_536);
});

test('a QEMU that would die of its reader is not read', async t => {
	const bench = await benchOf(t, ['-object', 'iothread,id=io']);
	const version = z.object({ qemu: z.object({ major: z.int() }) });
	const { qemu } = version.parse(await bench.qemu().guest.execute('query-version'));
	const planned = new Driven(bench).order();
	if (qemu.major >= 9) await planned;
	else await assert.rejects(planned, { code: 'source_invalid', message: /iothread \(io\) may die/ });
});

test('a link in the place of the socket is not followed', async t => {
	const bench = await benchOf(t);
	const driven = new Driven(bench);
	const moment = await driven.begin(await driven.order());
	const [directory] = (await readdir(bench.directory)).filter(name => name.startsWith('rouse-'));
	const socket = join(bench.directory, directory ?? '', 'q', 'nbd');
	await rename(socket, `${socket}.moved`);
	await symlink(`${socket}.moved`, socket);
	await assert.rejects(driven.read(moment, 'vd0'), { code: 'identity_conflict' });
});

test('a moment is found, and removed whole, where its scratch is, when by now it would be put elsewhere', async t => {
	const bench = await benchOf(t);
	const elsewhere = await temporaryDirectory(t);
	const before = new Driven({ ...bench, open: () => bench.source({}, `?scratch=${elsewhere}`) });
	const driven = new Driven(bench);
	const moment = await before.begin(await before.order());
	assert.deepEqual((await driven.read(moment, 'vd0')).bytes, await bench.guest.content('vd0'));
	await driven.abandon(moment);
	assert.deepEqual(await readdir(elsewhere), []);
	await driven.abandon(await driven.begin(await driven.order())); // QEMU's one NBD server is free
});

test('root makes nothing in a directory in which another user could exchange it', {
	skip: process.geteuid?.() !== 0,
}, async t => {
	const bench = await benchOf(t);
	const theirs = join(bench.directory, 'theirs');
	await mkdir(theirs);
	await chown(theirs, nobody, nobody);
	const driven = new Driven({ ...bench, open: () => bench.source({}, `?scratch=${theirs}`) });
	await assert.rejects(driven.order(), { code: 'config_invalid', hint: /scratch=/ });
	const planned = await new Driven(bench).order();
	await assert.rejects(driven.begin(planned), { code: 'config_invalid' });
	assert.deepEqual(await readdir(theirs), []);
	assert.deepEqual(await driven.leftovers(), []);
});

test('what is removed of a directory that QEMU had is files, and no directory in it is entered', async t => {
	const directory = await temporaryDirectory(t);
	const owned = { tag: randomUUID(), owner: `${randomUUID()}/web01/0123abcd` };
	const scratch = Scratch.of(directory, owned);
	await scratch.make(owned, { sizes: [65_536], user: await lstat(directory), signal });
	await mkdir(join(scratch.path, 'q', 'deep'));
	await writeFile(join(scratch.path, 'q', 'deep', 'file'), '');
	await assert.rejects(scratch.remove());
	assert.deepEqual(await readdir(join(scratch.path, 'q', 'deep')), ['file']);
});

test('a monitor that serves somebody else is source_busy', async t => {
	const bench = await benchOf(t);
	const somebody = createConnection(join(bench.directory, 'backup'));
	await once(somebody, 'data');
	await assert.rejects(bench.source({ greetingMs: 200 }).describe(signal), {
		code: 'source_busy',
		hint: /a monitor of its own/,
	});
	somebody.destroy();
	await bench.source().describe(signal);
});

test('a machine is described as QEMU has it, and what is no disk of its own is left out', async t => {
	const directory = await temporaryDirectory(t);
	const [flash, cd, fixed] = ['flash', 'cd', 'fixed'].map(name => join(directory, name));
	for (const path of [flash, cd, fixed]) await writeFile(path ?? '', Buffer.alloc(256 * 1024));
	const bench = await benchOf(
		t,
		[
			['-name', 'web server', '-smp', '3'],
			['-drive', `if=pflash,format=raw,file=${flash}`],
			['-drive', `if=none,id=disc,format=raw,media=cdrom,file=${cd}`, '-device', 'ide-cd,drive=disc,id=cd0'],
			['-drive', `if=none,id=given,format=raw,readonly=on,file=${fixed}`],
			['-device', 'virtio-blk-pci,drive=given,id=fixed0'],
			['-netdev', 'user,id=lan', '-device', 'virtio-net-pci,netdev=lan,mac=52:54:00:12:34:56,romfile='],
		].flat(),
	);
	const boot = join(directory, 'boot');
	await writeFile(boot, Buffer.alloc(64 * 1024));
	const { guest } = bench.qemu();
	await guest.execute('blockdev-add', { driver: 'raw', 'node-name': 'b', file: { driver: 'file', filename: boot } });
	await guest.execute('device_add', {
		driver: 'virtio-blk-pci',
		drive: 'b',
		id: 'root',
		bootindex: 0,
		serial: 'S-1',
		physical_block_size: 4096,
		logical_block_size: 512,
	});
	const { name, config, disks, leftOut, uri } = await bench.source({}, '?scratch=/var/tmp').describe(signal);
	assert.deepEqual([name, uri], ['web server', bench.uri]);
	assert.deepEqual(config, {
		cpus: 3,
		memoryMiB: 32,
		firmware: 'efi',
		vtpm: false,
		nics: [{ mac: '52:54:00:12:34:56', network: 'lan' }],
		drivers: ['virtio'],
	});
	assert.deepEqual(
		disks.map(({ key, sizeBytes, serial }) => [key, sizeBytes, serial]),
		[
			['root', 65_536, 'S-1'],
			['vd0', 1_048_576, null],
			['vd1', 614_912, null],
		],
	);
	assert.deepEqual(disks[0]?.sectors, { logicalSectorBytes: 512, physicalSectorBytes: 4096 });
	assert.deepEqual(leftOut.map(({ what }) => what).toSorted(), ['cd0', 'fixed0', 'variables of its firmware']);
});

/** An agent as the guest's end of the channel has it; what it was told to do, in order. */
async function agentOf(t: TestContext, path: string, says: Record<string, unknown> = {}): Promise<string[]> {
	const told: string[] = [];
	const server = createServer(socket => {
		socket.on('error', () => undefined);
		socket.on('data', (bytes: Buffer) => {
			const line = bytes.subarray(bytes.lastIndexOf(0xff) + 1).toString('utf8');
			const schema = z.object({ execute: z.string(), arguments: z.object({ id: z.int().optional() }) });
			const { execute, arguments: given } = schema.parse(JSON.parse(line));
			if (given.id !== undefined) socket.write(Buffer.concat([Buffer.of(0xff), answer({ return: given.id })]));
			else {
				told.push(execute);
				socket.write(answer(says[execute] ?? { return: 1 }));
			}
		});
	});
	server.listen(path);
	await once(server, 'listening');
	t.after(() => void server.close());
	return told;
}

function answer(value: unknown): Buffer {
	return Buffer.from(`${JSON.stringify(value)}\n`);
}

for (const [what, says, consistency] of [
	['freezes', {}, 'file-system'],
	['refuses to freeze', { 'guest-fsfreeze-freeze': { error: { class: 'GenericError', desc: 'no' } } }, 'crash'],
	['has nothing to freeze', { 'guest-fsfreeze-freeze': { return: 0 } }, 'crash'],
	['finds nothing frozen any more', { 'guest-fsfreeze-thaw': { return: 0 } }, 'crash'],
] as const)
	test(`with an agent that ${what} the moment is ${consistency}, and the guest is thawed`, async t => {
		const bench = await benchOf(t);
		const agent = join(bench.directory, 'agent');
		const told = await agentOf(t, agent, says);
		const driven = new Driven({
			...bench,
			open: () => bench.source({}, `?guest-agent=${agent}`),
		});
		const order = await driven.order();
		assert.equal(order.plan.consistency, 'file-system');
		const moment = await driven.begin(order);
		assert.ok(moment.disks.every(disk => disk.consistency === consistency));
		assert.deepEqual(told, ['guest-fsfreeze-freeze', 'guest-fsfreeze-thaw']);
	});

test('a guest that was left standing still is woken by whoever removes what is left', async t => {
	const directory = await temporaryDirectory(t);
	const owned = { tag: '6f0c2a7e-3f5d-4a53-9a83-0d8c1f0a7b11', owner: 'any' };
	const scratch = Scratch.of(directory, owned);
	await scratch.make(owned, { sizes: [], user: await lstat(directory), signal });
	await scratch.noteStill();
	await assert.rejects(wakeIfStill(agentAt(join(directory, 'nobody')), scratch), { code: 'not_ready' });
	const told = await agentOf(t, join(directory, 'agent'));
	await wakeIfStill(agentAt(join(directory, 'agent')), scratch);
	await wakeIfStill(agentAt(join(directory, 'agent')), scratch);
	assert.deepEqual(told, ['guest-fsfreeze-thaw']);
});

test('a moment is ended also where the guest cannot be woken, which is told', async t => {
	const bench = await benchOf(t);
	const driven = new Driven(bench);
	const order = await driven.order();
	await driven.begin(order);
	await Scratch.of(bench.directory, order).noteStill();
	await assert.rejects(driven.abandon(order), { code: 'not_ready' });
	for (const left of ['query-jobs', 'query-block-exports'])
		assert.deepEqual(await bench.qemu().guest.execute(left), []);
	assert.notDeepEqual(await driven.leftovers(), []);
});

test('imports by processes that are killed while they begin and while they copy hold what the disks held at their moment', async t => {
	const bench = await benchOf(t);
	await mustSurviveDeaths(t, { ...bench, keys: ['vd0', 'vd1'] }, [
		{ reads: 'all', begin: 'taken' },
		{ reads: 'changes', copy: 'data' },
	]);
	assert.equal((await bench.bitmaps()).length, 2, 'one bitmap for each disk is kept');
	assert.deepEqual(
		(await readdir(bench.directory)).filter(name => name.startsWith('rouse-')),
		[],
	);
});
