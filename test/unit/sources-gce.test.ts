import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gceUri, gsUri, parseGceUri, parseGsUri } from '../../sources/gce/address.ts';
import { configurationOf, doubtsOf, idsOf, leftOutOf, slotOf } from '../../sources/gce/configuration.ts';
import { costOf } from '../../sources/gce/cost.ts';
import { endpointsOf } from '../../sources/gce/google/endpoints.ts';
import type { GceDescribed } from '../../sources/gce/instance.ts';
import { generationName } from '../../sources/gce/object.ts';
import { plainUri } from '../../sources/machine/plain-uri.ts';
import { openMachineSource } from '../../sources/open-machine-source.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { crc32c } from '../../vhdx/crc32c.ts';
import { sampleDescribed } from '../equipment/gce/instances.ts';

const gib = 2 ** 30;

test('addresses are what they were written as, and hold nothing that could be a secret', () => {
	for (const uri of ['gs://exports/web01.tar.gz', 'gs://a_b.example.com/nightly/web 01+%20ä@2026.tar.gz']) {
		assert.equal(gsUri(parseGsUri(uri)), uri);
		assert.equal(plainUri(uri), uri);
	}
	for (const zone of ['northamerica-northeast1-a', 'us-central1-ai1a'])
		assert.equal(gceUri(parseGceUri(`gce://my-project/${zone}/web01`)), `gce://my-project/${zone}/web01`);
});

for (const uri of [
	'gs://exports',
	'gs://exports/',
	'gs://Exports/a',
	'gs://user:hunter2@exports/a',
	'gs://exports/a?token=hunter2',
	'gs://exports/a#hunter2',
	'gs://exports/a\nhunter2',
])
	test(`\`parseGsUri\` refuses ${JSON.stringify(uri)}, and quotes no secret`, () => {
		assert.throws(
			() => parseGsUri(uri),
			error => {
				assert.ok(error instanceof Error && !error.message.includes('hunter2'));
				return Reflect.get(error, 'code') === 'usage';
			},
		);
	});

for (const uri of [
	'gce://p/europe-west3-a/web01',
	'gce://my-project/europe/web01',
	'gce://my-project/europe-west3-a/Web',
	'gce://my-project/europe-west3-a/web01/x',
])
	test(`\`parseGceUri\` refuses ${uri}`, () => {
		assert.throws(() => parseGceUri(uri), { code: 'usage' });
	});

test('`generationName` has at most 200 characters, tells objects apart, and ends with the generation', () => {
	const of = (object: string) => generationName({ address: { bucket: 'exports', object }, generation: '17' });
	assert.equal(of('web01.tar.gz'), 'exports/web01.tar.gz#17');
	const [one, other] = [of(`${'x'.repeat(400)}1`), of(`${'x'.repeat(400)}2`)];
	assert.ok(one.length <= 200 && one !== other && one.endsWith('#17'));
});

test('tokens are sent to no address that is not encrypted', () => {
	const name = 'CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE';
	assert.equal(endpointsOf({}).storage.href, 'https://storage.googleapis.com/storage/v1/');
	assert.equal(
		endpointsOf({ [name]: 'https://x.p.googleapis.com/storage/v1' }).storage.href,
		'https://x.p.googleapis.com/storage/v1/',
	);
	for (const text of ['http://storage.example/', 'http://127.0.0.1.example/', 'ftp://127.0.0.1/', 'x'])
		assert.throws(() => endpointsOf({ [name]: text }), { code: 'config_invalid' });
});

for (const more of [{ furtherDisks: ['gs://exports/b'] }, { configuration: 'gce://my-project/europe-west3-a/web01' }])
	test(`a source that is a whole machine has no ${Object.keys(more).join()}`, async () => {
		const opening = openMachineSource({ uri: 'simulated:///srv/machine', credential: null, ...more });
		await assert.rejects(opening, {
			code: 'config_invalid',
			message: /simulated:\/\/\/srv\/machine is a whole machine/,
		});
	});

test('an archive is no two disks of one machine', async () => {
	const uri = 'gs://exports/web01.tar.gz';
	const opening = openMachineSource({ uri, furtherDisks: ['gs://exports/data.tar.gz', uri], credential: null });
	await assert.rejects(opening, { code: 'usage', message: /two disks/ });
});

test('`crc32c` of pieces is that of the whole', () => {
	const [head, tail] = [Buffer.from('12345'), Buffer.from('6789')];
	assert.equal(crc32c(tail, crc32c(head)), 0xe306_9283); // of 123456789, by the catalogue of parametrised CRC algorithms (CRC-32/ISCSI)
});

function described(change: (instance: GceDescribed['instance']) => void = () => {}): GceDescribed {
	const sample = sampleDescribed();
	change(sample.instance);
	return sample;
}

test('the configuration of an instance: what it boots from first, its type, its NICs without an address', () => {
	assert.deepEqual(configurationOf(described()), {
		cpus: 2,
		memoryMiB: 8192,
		nics: [{ network: 'web' }, { network: 'backend' }],
		clock: 'utc',
		firmware: 'efi',
		secureBoot: false,
		vtpm: true,
	});
	const windows = described(({ disks }) => disks[0]?.guestOsFeatures.push({ type: 'WINDOWS' }));
	assert.partialDeepStrictEqual(configurationOf(windows), { os: 'windows', clock: 'utc' });
	const bios = described(({ disks }) => disks[0]?.guestOsFeatures.splice(0));
	assert.deepEqual(
		[configurationOf(bios).firmware, configurationOf(bios).secureBoot, configurationOf(bios).vtpm],
		[undefined, undefined, undefined],
	);
	const fast = described(({ disks }) => {
		if (disks[0]) disks[0].interface = 'NVME';
	});
	assert.deepEqual(configurationOf(fast).drivers, ['nvme']);
});

test('disks of an instance are those of the archives in their order; what no archive can have is left out', () => {
	const [one, two] = [10 * gib, 200 * gib];
	const sample = described();
	assert.deepEqual([slotOf(sample, 0, one), slotOf(sample, 1, two), slotOf(sample, 1, one)], ['web01', 'data', null]);
	const ssd = { what: 'local-ssd-0', why: 'it is a local SSD: no image has it, and it is empty after each stop' };
	assert.deepEqual(leftOutOf(sample, 2), [ssd]);
	assert.deepEqual(leftOutOf(sample, 1), [{ what: 'data', why: 'no archive of it was named' }, ssd]);
	assert.deepEqual(doubtsOf(sample, [{ sizeBytes: one }, { sizeBytes: two }]), []);
	const doubts = doubtsOf(
		described(({ disks }) => {
			if (disks[0]) disks[0].architecture = 'ARM64';
		}),
		[{ sizeBytes: gib }],
	);
	assert.match(
		doubts.join('\n'),
		/ARM64: no x86-64 host[^]*2 disks, and one archive[^]*disk0 has 1\.00 GiB, and web01 .* 10 GiB/,
	);
});

test('what an instance has that no point can have is told, and no architecture that nobody has stated', () => {
	const sample = described(({ disks }) => {
		if (disks[0]) disks[0].architecture = 'ARCHITECTURE_UNSPECIFIED';
	});
	const archives = [{ sizeBytes: 10 * gib }, { sizeBytes: 200 * gib }];
	assert.deepEqual(doubtsOf(sample, archives), []);
	const huge = { ...sample, type: { guestCpus: 1920, memoryMb: 33_554_432, architecture: 'ARM64' } };
	assert.match(
		doubtsOf(huge, archives).join('\n'),
		/ARM64[^]*1920 processors, of which 256[^]*33554432 MiB .* 4194304/,
	);
	assert.deepEqual([configurationOf(huge).cpus, configurationOf(huge).memoryMiB], [256, 4_194_304]);
});

test('labels and ids of an instance are facts, as far as they have room', () => {
	const ids = idsOf(described());
	assert.partialDeepStrictEqual(ids, {
		project: 'my-project',
		instance: 'web01',
		instanceId: '42',
		machineType: 'e2-standard-2',
		'label-env': 'prod',
	});
	const many = described(instance => {
		for (let index = 0; index < 40; index++) instance.labels[`label${index}`] = 'x'.repeat(63);
	});
	assert.ok(Object.keys(idsOf(many)).length <= 15);
});

test('what reading costs is said in a sentence of at most 200 characters', () => {
	const text = costOf([{ sizeBytes: 50 * gib, storageClass: 'STANDARD' }]);
	assert.equal(
		text,
		"50.0 GiB are read: nothing in the bucket's region, about 1.00 USD in another one, 6.00 USD out of Google",
	);
	const archived = costOf([
		{ sizeBytes: 5000 * gib, storageClass: 'ARCHIVE' },
		{ sizeBytes: 1, storageClass: 'NEARLINE' },
	]);
	assert.match(archived, /250 USD for taking it out/);
	assert.ok(archived.length <= 200);
});

test('the roles of docs/sources.md allow the calls that are made of Google, and nothing else', async () => {
	const page = await readFile(join(checkoutDirectory, 'docs', 'sources.md'), 'utf8');
	const allowed = [...page.matchAll(/gcloud iam roles create .* --permissions (\S+)/g)].flatMap(([, names = '']) =>
		names.split(','),
	);
	const called = new Set<string>();
	for await (const path of glob('sources/gce/**/*.ts', { cwd: checkoutDirectory })) {
		const code = await readFile(join(checkoutDirectory, path), 'utf8');
		for (const [, name = ''] of code.matchAll(/'((?:storage|compute)\.[a-zA-Z]+\.[a-z]+)'/g)) called.add(name);
	}
	assert.equal(called.size, 3);
	assert.deepEqual(allowed.toSorted(), [...called].toSorted());
});
