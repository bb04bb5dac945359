/** How the bytes of an object come, from a stub of Cloud Storage that cuts, stalls, refuses and changes. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { asRouseError } from '../../model/errors.ts';
import { GoogleAccess } from '../../sources/gce/google/access.ts';
import { GoogleApi } from '../../sources/gce/google/api.ts';
import { endpointsOf } from '../../sources/gce/google/endpoints.ts';
import { findObject, type PinnedObject } from '../../sources/gce/object.ts';
import { openObjectDisk } from '../../sources/gce/object-archive.ts';
import { bytesOfObject } from '../../sources/gce/object-bytes.ts';
import { GceSite, hasty, packedArchive } from '../equipment/gce/bench.ts';
import type { StubFault } from '../equipment/gce/stub-google.ts';
import { noise } from '../equipment/repositories.ts';

const { signal } = new AbortController();
const address = { bucket: 'exports', object: 'nightly/web 01+%20ä.tar.gz' };
const path = `${address.bucket}/${address.object}`;
const bytes = noise(3_000_000, 1);

interface Stored {
	site: GceSite;
	api: GoogleApi;
	object: PinnedObject;
}

async function stored(t: TestContext, content = bytes, contentEncoding?: string): Promise<Stored> {
	const site = await GceSite.make();
	t.after(() => site.dispose());
	site.google.objects.put(path, content, { contentEncoding });
	const api = site.api();
	t.after(() => api.close());
	return { site, api, object: await findObject(api, address, signal) };
}

async function read({ api, object }: Stored, until = signal): Promise<Buffer> {
	const pieces: Buffer[] = [];
	for await (const piece of bytesOfObject(api, object, until)) pieces.push(piece);
	return Buffer.concat(pieces);
}

/** What it comes to, and that it tells no secret, wherever somebody looks. */
async function fails(from: Stored, code: string, message?: RegExp): Promise<void> {
	const error = asRouseError(
		await read(from).then(
			() => undefined,
			(thrown: unknown) => thrown,
		),
	);
	assert.equal(error.code, code, error.message);
	if (message !== undefined) assert.match(error.message, message);
	for (const secret of from.site.secrets) assert.ok(!inspect(error, { depth: 9 }).includes(secret), 'a secret is told');
}

test('an answer that is cut is gone on with where it ended, at the same generation, and each byte comes once', async t => {
	const from = await stored(t);
	const { google } = from.site;
	google.faults.push(
		{ at: 'media', cutAfter: 1_000_000 },
		{ at: 'media', cutAfter: 0 },
		{ at: 'media', cutAfter: 700_000 },
	);
	assert.ok((await read(from)).equals(bytes));
	const ranges = google.requests
		.filter(({ at }) => at === 'media')
		.map(({ range }) => Number(range?.match(/\d+/)?.[0]));
	assert.equal(ranges[0], 0);
	assert.equal(ranges.length, 4);
	assert.ok(ranges.every((at, index) => index === 0 || at >= (ranges[index - 1] ?? 0)));
	assert.ok((ranges[3] ?? 0) > 1_000_000);
});

test('more cuts than are borne in a row are borne where each brings something', async t => {
	const from = await stored(t);
	for (let cut = 0; cut < 3 * hasty.tries; cut++) from.site.google.faults.push({ at: 'media', cutAfter: 100_000 });
	assert.ok((await read(from)).equals(bytes));
});

test('where something was read, which would be paid for again, more is borne in a row, and not without end', async t => {
	const from = await stored(t);
	const later = (count: number) => [
		{ at: 'media' as const, cutAfter: 1_000_000 },
		...Array.from({ length: count }, () => ({ at: 'media' as const, status: 503 })),
	];
	from.site.google.faults.push(...later(2 * hasty.tries - 2));
	assert.ok((await read(from)).equals(bytes));
	from.site.google.faults.push(...later(2 * hasty.tries));
	await fails(from, 'source_unreachable', /status 503/);
});

test('an answer that stands still is given up, and gone on with', async t => {
	const from = await stored(t);
	from.site.google.faults.push({ at: 'media', stallAfter: 500_000 });
	const api = from.site.api({ stallMs: 200 });
	t.after(() => api.close());
	assert.ok((await read({ ...from, api })).equals(bytes));
	assert.ok(from.site.google.countOf('media') >= 2);
});

for (const faults of [
	[{ at: 'media', status: 429, reason: 'rateLimitExceeded', retryAfter: '3000' }],
	[
		{ at: 'media', status: 503 },
		{ at: 'media', status: 500 },
		{ at: 'media', status: 408 },
	],
	[{ at: 'media', status: 403, reason: 'userRateLimitExceeded' }],
	[{ at: 'media', status: 401, reason: 'authError' }],
] satisfies StubFault[][])
	test(`what passes is waited for: ${faults.map(({ status }) => status).join(', ')}`, async t => {
		const from = await stored(t);
		from.site.google.faults.push(...faults);
		assert.ok((await read(from)).equals(bytes));
	});

test('a token that is not taken any more in the middle of an object is exchanged for a new one', async t => {
	const from = await stored(t);
	const { google } = from.site;
	google.faults.push({ at: 'media', cutAfter: 1_000_000 });
	let came = 0;
	for await (const piece of bytesOfObject(from.api, from.object, signal)) {
		if (came === 0) google.expireTokens();
		came += piece.length;
	}
	assert.equal(came, bytes.length);
	assert.equal(google.tokens.length, 2);
	assert.deepEqual(google.requests.filter(({ status }) => status === 401).length, 1);
});

const often = (fault: StubFault) => Array.from({ length: 9 }, () => fault);
for (const [what, faults, code, message] of [
	[
		'403',
		[
			{ at: 'media', status: 403, reason: 'forbidden' },
			{ at: 'description', status: 403, reason: 'forbidden' },
		],
		'access_denied',
		/storage\.objects\.get .*403, forbidden/,
	],
	['403 of what was written anew', [{ at: 'media', status: 403, reason: 'forbidden' }], 'moment_lost', /generation/],
	['401 for each token', often({ at: 'media', status: 401 }), 'access_denied', /does not take them/],
	[
		'a token that is refused',
		[{ at: 'media', status: 401 }, ...often({ at: 'token', status: 400 })],
		'access_denied',
		/no token/,
	],
	['404', [{ at: 'media', status: 404 }], 'moment_lost', /generation \d+/],
	['412', [{ at: 'media', status: 412, reason: 'conditionNotMet' }], 'moment_lost', undefined],
	['416', [{ at: 'media', status: 416 }], 'source_invalid', /before its size/],
	['400', [{ at: 'media', status: 400, reason: 'userProjectMissing' }], 'source_invalid', /userProjectMissing/],
	['503 without end', often({ at: 'media', status: 503 }), 'source_unreachable', /status 503/],
	['answers that bring nothing', often({ at: 'media', cutAfter: 0 }), 'source_unreachable', /end early/],
	[
		'a token that cannot be had for now',
		[{ at: 'media', status: 401 }, ...often({ at: 'token', status: 503 })],
		'source_unreachable',
		/no token: 503/,
	],
	[
		'a range that is ignored',
		[
			{ at: 'media', cutAfter: 9 },
			{ at: 'media', ignoresRange: true },
		],
		'source_invalid',
		/other bytes/,
	],
	['another generation', [{ at: 'media', ignoresGeneration: true }], 'moment_lost', undefined],
	['a byte that is another', [{ at: 'media', flipAt: 2_000_000 }], 'source_invalid', /CRC32C/],
] satisfies [string, StubFault[], string, RegExp | undefined][])
	test(`reading an object throws ${code} for ${what}, and tells no secret`, async t => {
		const from = await stored(t);
		from.site.google.objects.put(path, noise(bytes.length, 2));
		from.site.google.faults.push(...faults);
		await fails(from, code, message);
	});

test('an object that was deleted after the first bytes is moment_lost', async t => {
	const from = await stored(t);
	from.site.google.faults.push({ at: 'media', cutAfter: 1_000_000 });
	const reading = async () => {
		for await (const _ of bytesOfObject(from.api, from.object, signal)) from.site.google.objects.remove(path);
	};
	await assert.rejects(reading(), { code: 'moment_lost' });
});

test('an object that is said to be packed is read as it is stored, also from its middle', async t => {
	const packed = gzipSync(bytes, { level: 0 });
	const from = await stored(t, packed, 'gzip');
	from.site.google.faults.push({ at: 'media', cutAfter: 1_000_000 });
	assert.ok((await read(from)).equals(packed));
	from.site.google.faults.push({ at: 'media', unpacks: true });
	await fails(from, 'source_invalid', /unpacked on its way/);
});

test('an archive that is said to be packed is the disk in it', async t => {
	const content = noise(1_500_000, 3);
	const from = await stored(t, packedArchive(content), 'gzip');
	const disk = await openObjectDisk(from.api, address, signal);
	t.after(() => disk.close());
	const whole = Buffer.alloc(disk.sizeBytes);
	await disk.read(0, whole, signal);
	await disk.checkUnchanged?.(signal);
	assert.ok(whole.subarray(0, content.length).equals(content));
	assert.equal(disk.moment, `${address.bucket}/${address.object}#${from.object.generation}`);
});

test('the end of a signal ends what is read, while bytes come and while nothing does', async t => {
	const from = await stored(t);
	for (const fault of [{}, { stallAfter: 1000 }]) {
		from.site.google.faults.push({ at: 'media', ...fault });
		const ending = new AbortController();
		const reason = new Error('enough');
		const reading = async () => {
			for await (const _ of bytesOfObject(from.api, from.object, ending.signal)) ending.abort(reason);
		};
		await assert.rejects(reading(), reason);
	}
});

for (const [what, put, code] of [
	['nothing', undefined, 'machine_unknown'],
	['an empty object', { content: Buffer.alloc(0), isEncryptedByCustomer: false }, 'source_invalid'],
	['an object with a key of its owner', { content: bytes, isEncryptedByCustomer: true }, 'source_invalid'],
	['what is no archive', { content: bytes, isEncryptedByCustomer: false }, 'source_invalid'],
] as const)
	test(`opening ${what} throws ${code}`, async t => {
		const site = await GceSite.make();
		t.after(() => site.dispose());
		const api = site.api();
		t.after(() => api.close());
		if (put !== undefined) {
			const { content, isEncryptedByCustomer } = put;
			site.google.objects.put(path, content, { isEncryptedByCustomer });
		}
		await assert.rejects(openObjectDisk(api, address, signal), { code, message: /gs:\/\/exports\/nightly/ });
	});

test('a credential that is none, and what Google says of one, are told without their words', async t => {
	const site = await GceSite.make();
	t.after(() => site.dispose());
	const endpoints = endpointsOf(site.google.env);
	const of = async (file: object) => {
		await writeFile(site.keyPath, JSON.stringify(file));
		const api = new GoogleApi({
			access: new GoogleAccess(site.keyPath, { fetch: site.google.fetch }),
			endpoints,
			patience: hasty,
		});
		t.after(() => api.close());
		return asRouseError(
			await findObject(api, address, signal).then(
				() => undefined,
				(thrown: unknown) => thrown,
			),
		);
	};
	const secret = 'c4n4ry-secret';
	const runsProgram = { ...site.google.federationFile(secret), credential_source: { executable: { command: secret } } };
	for (const file of [{ type: 'service_account', private_key: secret }, runsProgram, { type: secret }]) {
		const error = await of(file);
		assert.equal(error.code, 'config_invalid', error.message);
		assert.ok(!inspect(error, { depth: 9 }).includes(secret));
	}
	const error = await of({ ...site.google.keyFile, client_email: 'other@example.com' });
	assert.equal(error.code, 'access_denied');
	assert.match(error.message, /400, invalid_grant/);
	for (const word of [...site.secrets, 'other@example.com', 'assertion'])
		assert.ok(!inspect(error, { depth: 9 }).includes(word), word.slice(0, 8));
});

test('without a credential of config.yaml the one counts that Google itself has for programs', async t => {
	const { site, object } = await stored(t);
	const name = 'GOOGLE_APPLICATION_CREDENTIALS';
	const before = process.env[name];
	t.after(() => {
		if (before === undefined) delete process.env[name];
		else process.env[name] = before;
	});
	process.env[name] = site.keyPath;
	const access = new GoogleAccess(null, { fetch: site.google.fetch });
	const api = new GoogleApi({ access, endpoints: endpointsOf(site.google.env), patience: hasty });
	t.after(() => api.close());
	assert.equal((await findObject(api, address, signal)).generation, object.generation);
	assert.equal(site.google.tokens.length, 2);
});
