/** What is kept of archives as they are fetched, from a stub of Cloud Storage that says what it was asked for. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { GoogleApi } from '../../sources/gce/google/api.ts';
import { findObject, type PinnedObject } from '../../sources/gce/object.ts';
import { openObjectArchive } from '../../sources/gce/object-archive.ts';
import { bytesOfObject } from '../../sources/gce/object-bytes.ts';
import { type Keeper, Spool } from '../../sources/gce/spool.ts';
import { temporaryPath } from '../../system/durable-file.ts';
import { GceSite, packedArchive } from '../equipment/gce/bench.ts';
import { noise } from '../equipment/repositories.ts';

const { signal } = new AbortController();
const address = { bucket: 'exports', object: 'web01.tar.gz' };
const bytes = noise(1_000_000, 1);
const partBytes = 100_000;
const keeper = { tag: randomUUID(), owner: `${randomUUID()}/web01/01234567` };

interface Spooled {
	site: GceSite;
	api: GoogleApi;
	object: PinnedObject;
	spool: Spool;
	/** The one that holds what is kept. */
	directory: string;
}

async function spooled(t: TestContext): Promise<Spooled> {
	const site = await GceSite.make();
	t.after(() => site.dispose());
	site.google.objects.put('exports/web01.tar.gz', bytes);
	const api = site.api();
	t.after(() => api.close());
	const object = await findObject(api, address, signal);
	const spool = new Spool(join(site.directory, 'spool'), { partBytes });
	return { site, api, object, spool, directory: join(site.directory, 'spool', 'rouse-spool') };
}

async function reader({ api, object, spool }: Spooled, by: Keeper = keeper) {
	return bytesOfObject(api, object, signal, await spool.open(by, object));
}

/** To its end, or until at least so many bytes have come, as a process does that dies then. */
async function read(
	from: Spooled,
	{ most = Infinity, by = keeper }: { most?: number; by?: Keeper } = {},
): Promise<Buffer> {
	const pieces: Buffer[] = [];
	let came = 0;
	for await (const piece of await reader(from, by)) {
		pieces.push(piece);
		came += piece.length;
		if (came >= most) break;
	}
	return Buffer.concat(pieces);
}

const rangesOf = ({ site }: Spooled) =>
	site.google.requests.filter(({ at }) => at === 'media').map(({ range }) => Number(/\d+/.exec(range ?? '')?.[0]));

test('who goes on where one has died fetches what was not durable, and nothing when all of it is there', async t => {
	const from = await spooled(t);
	const durable = [0];
	for (const most of [30_000, 250_000, 260_000, 777_777]) {
		const came = await read(from, { most });
		assert.ok(came.equals(bytes.subarray(0, came.length)));
		durable.push(Math.floor(came.length / partBytes) * partBytes);
	}
	assert.ok((await read(from)).equals(bytes));
	assert.deepEqual(rangesOf(from), durable);
	from.site.google.objects.remove('exports/web01.tar.gz');
	assert.ok((await read(from)).equals(bytes), 'also when it is not there any more');
	assert.deepEqual(rangesOf(from), durable);
});

test("what is kept is its owner's alone", async t => {
	const from = await spooled(t);
	await read(from, { most: 250_000 });
	const paths = await readdir(from.directory, { recursive: true });
	for (const path of ['', ...paths]) {
		const found = await stat(join(from.directory, path));
		assert.equal(found.mode & 0o777, found.isDirectory() ? 0o700 : 0o600, path);
	}
});

async function partsIn({ directory }: Spooled): Promise<string[]> {
	const paths = await readdir(directory, { recursive: true });
	return paths.filter(path => /\/\d+$/.test(path)).map(path => join(directory, path));
}

test('bytes whose sum is wrong are source_invalid and not kept, whether they came so or became so', async t => {
	const from = await spooled(t);
	from.site.google.faults.push({ at: 'media', flipAt: 450_000 });
	await assert.rejects(read(from), { code: 'source_invalid', message: /CRC32C/ });
	assert.deepEqual(await partsIn(from), []);
	assert.ok((await read(from)).equals(bytes));
	const [part = ''] = await partsIn(from);
	const changed = await readFile(part);
	await writeFile(part, changed.fill(1, 7, 8));
	await assert.rejects(read(from), { code: 'source_invalid', message: /CRC32C/ });
	assert.ok((await read(from)).equals(bytes));
	assert.deepEqual(rangesOf(from), [0, 0, 0]);
});

test('an archive that is none any more, for a byte that has changed where it is kept, is fetched anew by the next attempt', async t => {
	const from = await spooled(t);
	const content = noise(800_000, 2);
	from.site.google.objects.put('exports/web01.tar.gz', packedArchive(content));
	const object = await findObject(from.api, address, signal);
	const disk = async () => {
		const kept = await from.spool.open('command', object);
		const archive = await openObjectArchive(from.api, object, signal, kept);
		try {
			const whole = Buffer.alloc(archive.sizeBytes);
			await archive.read(0, whole, signal);
			assert.ok(whole.equals(content));
		} finally {
			await archive.close();
		}
	};
	const part = async (at: number) => (await partsIn(from)).find(path => path.endsWith(`/${at}`)) ?? '';
	await disk();
	await rm(await part(700_000));
	from.site.google.faults.push({ at: 'media', status: 400 });
	await assert.rejects(disk(), { code: 'source_invalid', message: /status 400/ });
	await disk();
	assert.deepEqual(rangesOf(from), [0, 700_000, 700_000], 'what Google refuses is no reason to pay for it again');
	await writeFile(await part(300_000), Buffer.alloc(partBytes, 0xff));
	await assert.rejects(disk(), {
		code: 'source_invalid',
		message: /gzip data is damaged/,
		hint: /kept of it is removed/,
	});
	await disk();
	assert.deepEqual(rangesOf(from), [0, 700_000, 700_000, 0]);
});

test('parts that are not whole are fetched again, once, with what lies behind them', async t => {
	const from = await spooled(t);
	await read(from);
	for (const part of await partsIn(from)) if (/\/[68]00000$/.test(part)) await truncate(part, 99_999);
	for (let attempt = 0; attempt < 2; attempt++) assert.ok((await read(from)).equals(bytes));
	assert.deepEqual(rangesOf(from), [0, 600_000]);
});

test('a part that cannot be read is fetched again', async t => {
	const from = await spooled(t);
	await read(from);
	const part = (await partsIn(from)).find(path => path.endsWith('/900000')) ?? '';
	await rm(part);
	await mkdir(part);
	for (let attempt = 0; attempt < 2; attempt++) assert.ok((await read(from)).equals(bytes));
	assert.deepEqual(rangesOf(from), [0, 900_000]);
});

test('what a death has left of a part that was being written takes no room from the next attempt', async t => {
	const from = await spooled(t);
	await read(from, { most: 250_000 });
	const [part = ''] = await partsIn(from);
	await writeFile(temporaryPath(part), bytes);
	assert.ok((await read(from)).equals(bytes));
	assert.deepEqual(
		(await readdir(dirname(part))).toSorted(),
		(await partsIn(from)).map(path => basename(path)).toSorted(),
	);
});

test('two commands that read one archive at once do not disturb each other, also when one of them is done', async t => {
	const from = await spooled(t);
	const first = await reader(from, 'command');
	const second = await reader(from, 'command');
	const came: Buffer[] = [];
	for (let step = 0; step < 4; step++) {
		await first.next();
		came.push((await second.next()).value);
	}
	assert.ok((await read(from, { by: 'command' })).equals(bytes));
	await (await from.spool.open('command', from.object)).remove();
	for await (const piece of second) came.push(piece);
	assert.ok(Buffer.concat(came).equals(bytes));
	await first.return(undefined);
	assert.deepEqual(await partsIn(from), [], 'what was taken away does not come back');
	assert.ok((await read(from, { by: 'command' })).equals(bytes));
});

test('an archive for which there is no room is refused with how much is missing; what is kept needs none', async t => {
	const from = await spooled(t);
	await read(from, { most: 750_000 });
	const asked = rangesOf(from).length;
	const missing = from.object.sizeBytes - (await partsIn(from)).length * partBytes;
	const full = (freeBytes: number) =>
		new Spool(join(from.site.directory, 'spool'), { partBytes, freeBytesAt: async () => freeBytes });
	await assert.rejects(full(missing - 1).open(keeper, from.object), {
		code: 'space_short',
		message: /rouse-spool has \d.* KiB free, and the archives take \d.* KiB more$/,
		details: { needBytes: missing, freeBytes: missing - 1 },
	});
	assert.equal(rangesOf(from).length, asked);
	assert.ok((await read({ ...from, spool: full(missing) })).equals(bytes));
});
