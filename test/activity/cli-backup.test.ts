import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { nbdkit, temporaryDirectory } from '../equipment/captive.ts';
import { rouse, startRouse } from '../equipment/command-line.ts';
import { temporarySuffix } from '../../system/durable-file.ts';
import { waitFor } from '../../system/wait.ts';

const run = promisify(execFile);
const mebibyte = 2 ** 20;

interface Place {
	directory: string;
	home: string;
	repository: string;
}

/** An installation with a repository that config.yaml calls `main`. */
async function installation(t: TestContext): Promise<Place> {
	const directory = await temporaryDirectory(t);
	const place = { directory, home: join(directory, 'home'), repository: join(directory, 'main') };
	const made = await rouse(place.home, ['repo', 'init', place.repository]);
	assert.equal(made.exitCode, 0, made.stderr);
	return place;
}

/** Runs a command that must succeed and gives its JSON document. */
async function answer(home: string, ...args: string[]): Promise<Record<string, unknown>> {
	const ended = await rouse(home, [...args, '--json']);
	assert.equal(ended.exitCode, 0, ended.stderr);
	return JSON.parse(ended.stdout);
}

/** Runs a command that must fail and gives the error document. */
async function failure(home: string, ...args: string[]): Promise<Record<string, unknown>> {
	const ended = await rouse(home, [...args, '--json']);
	assert.notEqual(ended.exitCode, 0, ended.stdout);
	const document = JSON.parse(ended.stderr.trim().split('\n').at(-1) ?? '');
	assert.equal(document.exitCode, ended.exitCode);
	return document;
}

async function rawDisk(directory: string, sizeBytes: number): Promise<{ path: string; content: Buffer }> {
	const content = Buffer.alloc(sizeBytes);
	randomBytes(2 * mebibyte).copy(content, mebibyte);
	const path = join(directory, 'disk.raw');
	await writeFile(path, content);
	return { path, content };
}

test('the first repository of an installation becomes its default, a second one is left to the person', async t => {
	const { directory, home, repository } = await installation(t);
	assert.equal(
		await readFile(join(home, 'config.yaml'), 'utf8'),
		`repositories:\n  main: ${repository}\ndefaultRepository: main\n`,
	);
	const second = await rouse(home, ['repo', 'init', join(directory, 'other')]);
	assert.match(second.stdout, /rouse repo add other \/.*\/other\n/);
	assert.doesNotMatch(await readFile(join(home, 'config.yaml'), 'utf8'), /other/);
	assert.partialDeepStrictEqual(await failure(home, 'repo', 'init', join(directory, 'other')), {
		type: 'error',
		code: 'repository_exists',
		exitCode: 6,
	});
	assert.partialDeepStrictEqual(await failure(home, 'repo', 'init', join(directory, 'x'), '--name', 'main'), {
		code: 'name_conflict',
	});
});

test('`repo add` names a repository that is there, and leaves the rest of config.yaml as it was', async t => {
	const { directory, home, repository } = await installation(t);
	const config = join(home, 'config.yaml');
	const written = `# by hand\nrepositories:\n  main: ${repository} # the old one\n# of the host\nhost: {name: here}\n`;
	await writeFile(config, written, { mode: 0o640 });
	const other = join(directory, 'other');
	await rouse(home, ['repo', 'init', other]);
	assert.equal(await readFile(config, 'utf8'), written);
	assert.partialDeepStrictEqual(await answer(home, 'repo', 'add', 'second', other), { name: 'second', added: true });
	assert.equal(
		await readFile(config, 'utf8'),
		`# by hand\nrepositories:\n  main: ${repository} # the old one\n  second: ${other}\n# of the host\nhost: { name: here }\ndefaultRepository: main\n`,
	);
	assert.partialDeepStrictEqual(await answer(home, 'repo', 'add', 'second', other), { added: false });
	assert.deepEqual(await answer(home, 'repo', 'list'), {
		repositories: [
			{ name: 'main', directory: repository, default: true },
			{ name: 'second', directory: other, default: false },
		],
	});
	const taken = await failure(home, 'repo', 'add', 'main', other);
	const twice = await failure(home, 'repo', 'add', 'third', other);
	const nothing = await failure(home, 'repo', 'add', 'third', directory);
	assert.deepEqual([taken.code, twice.code, nothing.code], ['name_conflict', 'name_conflict', 'repository_missing']);
});

test('an import answers with the point, exact sizes, and what was new', async t => {
	const { directory, home } = await installation(t);
	const { path, content } = await rawDisk(directory, 8 * mebibyte + 333);
	const first = await answer(home, 'backup', 'import', path, '--machine', 'web01', '--at', '2024-11-20T04:00:00+01:00');
	assert.partialDeepStrictEqual(first, {
		machine: 'web01',
		restorePoint: '2024-11-20T03:00:00.000Z',
		disks: [{ sizeBytes: 8 * mebibyte + 333 }],
		newBytes: 2 * mebibyte,
	});
	assert.ok(Number(first['storedBytes']) > 2 * mebibyte);
	assert.equal(typeof first['durationMs'], 'number');
	await writeFile(path, Buffer.concat([content.subarray(0, 4 * mebibyte), randomBytes(4 * mebibyte + 333)]));
	const second = await answer(home, 'backup', 'import', path, '--machine', 'web01');
	const news = Number(second['newBytes']);
	assert.ok(news >= 4 * mebibyte && news < 4 * mebibyte + 131_072 + 1, `${news} bytes were new`);
	const { restorePoints } = await answer(home, 'backup', 'list', 'web01');
	assert.ok(Array.isArray(restorePoints) && restorePoints.length === 2);
});

test('what was imported comes out again to the byte, sparse, and never over a file', async t => {
	const { directory, home } = await installation(t);
	const { path, content } = await rawDisk(directory, 64 * mebibyte + 333);
	const image = join(directory, 'disk.vhdx');
	await run('qemu-img', ['convert', '-O', 'vhdx', path, image]);
	await answer(home, 'backup', 'import', path, image, '--machine', 'web01');
	const out = join(directory, 'out.raw');
	const severalDisks = await failure(home, 'backup', 'export', 'web01', '--to', out);
	assert.partialDeepStrictEqual(severalDisks, { code: 'usage', hint: 'say --disk 0 to 1' });
	await answer(home, 'backup', 'export', 'web01@latest', '--to', out, '--disk', '0');
	assert.ok((await readFile(out)).equals(content));
	assert.ok((await stat(out)).blocks * 512 < 4 * mebibyte);
	const again = await failure(home, 'backup', 'export', 'web01@latest', '--to', out, '--disk', '1');
	assert.equal(again['code'], 'name_conflict');
	await answer(home, 'backup', 'export', 'web01@latest', '--to', `${out}2`, '--disk', '1');
	// The image's disk is a multiple of 512: the original with zeros behind it.
	assert.ok((await readFile(`${out}2`)).subarray(0, content.length).equals(content));
	assert.equal((await stat(`${out}2`)).size, 64 * mebibyte + 512);
});

test('an NBD server is a source', async t => {
	const { home } = await installation(t);
	const { socket } = await nbdkit(t, ['data', 'data=@0x100000 0x41*4096', 'size=3145733']);
	const imported = await answer(home, 'backup', 'import', `nbd+unix:///?socket=${socket}`, '--machine', 'web01');
	assert.partialDeepStrictEqual(imported, { disks: [{ sizeBytes: 3_145_733 }], newBytes: 131_072 });
});

test('the spec decides the machine, and the disks its firmware', async t => {
	const { directory, home } = await installation(t);
	const blank = join(directory, 'blank.raw');
	await writeFile(blank, '');
	await truncate(blank, mebibyte);
	const partition = join(directory, 'partition');
	await writeFile(partition, Buffer.alloc(mebibyte));
	const { socket } = await nbdkit(t, [
		'partitioning',
		'partition-type=gpt',
		'type-guid=C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
		`file=${partition}`,
	]);
	const spec = join(directory, 'spec.yaml');
	await writeFile(spec, 'cpus: 1\nmemoryMiB: 256\nos: windows\n');
	const sources = [blank, `nbd+unix:///?socket=${socket}`];
	await answer(home, 'backup', 'import', ...sources, '--machine', 'win', '--spec', spec);
	const { config } = await answer(home, 'backup', 'show', 'win@latest');
	assert.partialDeepStrictEqual(config, {
		cpus: 1,
		memoryMiB: 256,
		firmware: 'efi',
		os: 'windows',
		clock: 'localtime',
		secureBoot: null,
		disks: [{ position: 0 }, { position: 1, logicalSectorBytes: 512, serial: null }],
		origin: { kind: 'image', detail: 'raw blank.raw, default export' },
	});
	const { stdout } = await rouse(home, ['backup', 'show', 'win@latest']);
	assert.match(stdout, /^Machine +1 CPUs, 256 MiB, efi, windows, clock in localtime$/m);
	assert.match(stdout, /^Drivers +none are known$/m);
	assert.match(stdout, /^Origin +image: raw blank\.raw, default export$/m);
	await writeFile(spec, 'cpus: 1\nmemory: 256\n');
	assert.partialDeepStrictEqual(await failure(home, 'backup', 'import', blank, '--machine', 'win', '--spec', spec), {
		code: 'spec_invalid',
		message: `${spec}:2:1: memory: no such field is known here`,
		exitCode: 2,
	});
});

test('a damaged chunk is named by verify, with exit code 9', async t => {
	const { directory, home, repository } = await installation(t);
	const { path } = await rawDisk(directory, 4 * mebibyte);
	await answer(home, 'backup', 'import', path, '--machine', 'web01');
	const whole = await answer(home, 'backup', 'verify', 'web01');
	assert.deepEqual([whole['damaged'], whole['verifiedBytes']], [[], 2 * mebibyte]);
	const packs = await filesUnder(join(repository, 'packs'));
	const sizes = await Promise.all(packs.map(async pack => (await stat(pack)).size));
	const data = packs[sizes.indexOf(Math.max(...sizes))] ?? '';
	await flipByte(data, 300_000);
	const ended = await rouse(home, ['backup', 'verify', 'web01@latest', '--json']);
	assert.equal(ended.exitCode, 9);
	const { damaged } = JSON.parse(ended.stdout);
	assert.partialDeepStrictEqual(damaged, [{ disk: 0, kind: 'chunk', index: 10, code: 'chunk_bad' }]);
	const error = JSON.parse(ended.stderr);
	assert.equal(error.code, 'chunk_bad');
	assert.match(error.message, new RegExp(damaged[0].digest));
});

async function filesUnder(directory: string): Promise<string[]> {
	const entries = await readdir(directory, { recursive: true, withFileTypes: true });
	return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
}

async function flipByte(path: string, at: number): Promise<void> {
	const file = await open(path, 'r+');
	try {
		const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
		await file.write(Buffer.from([buffer.readUInt8(0) ^ 1]), 0, 1, at);
	} finally {
		await file.close();
	}
}

test('Ctrl-C ends an import with exit code 130, and the same import succeeds afterwards', async t => {
	const { directory, home } = await installation(t);
	const path = join(directory, 'disk.raw');
	await writeFile(path, randomBytes(64 * mebibyte));
	const slow = await nbdkit(t, ['--filter=delay', 'file', path, 'rdelay=50ms']);
	const uri = `nbd+unix:///?socket=${slow.socket}`;
	const command = startRouse(t, home, ['backup', 'import', uri, '--machine', 'web01', '--json']);
	// There is no progress in the first ten seconds: the announcement shows that the import is under way.
	const intents = join(directory, 'main', 'intents');
	await waitFor('the import to announce itself', async () => (await readdir(intents).catch(() => [])).length > 0, {
		timeoutMs: 20_000,
	});
	command.child.kill('SIGINT');
	const ended = await command.ended;
	assert.deepEqual([ended.exitCode, ended.stdout], [130, '']);
	assert.partialDeepStrictEqual(JSON.parse(ended.stderr), {
		code: 'interrupted',
		hint: 'the same command begins anew, and uses what was stored',
	});
	assert.deepEqual(await readdir(intents), []);
	assert.equal((await failure(home, 'backup', 'show', 'web01'))['code'], 'machine_unknown');
	await answer(home, 'backup', 'import', path, '--machine', 'web01');
});

test('an import that is killed leaves no server on its image, and the same import succeeds afterwards', async t => {
	const { directory, home } = await installation(t);
	const image = join(directory, 'disk.qcow2');
	await writeFile(join(directory, 'disk.raw'), randomBytes(256 * mebibyte));
	await run('qemu-img', ['convert', '-O', 'qcow2', join(directory, 'disk.raw'), image]);
	const command = startRouse(t, home, ['backup', 'import', image, '--machine', 'web01']);
	const packs = join(directory, 'main', 'packs');
	const stored = async () => (await filesUnder(packs).catch(() => [])).some(path => !path.endsWith(temporarySuffix));
	await waitFor('the first pack', stored, { timeoutMs: 60_000 });
	command.child.kill('SIGKILL');
	assert.equal((await command.ended).exitCode, null, 'it ended before it was killed');
	// QEMU's lock on the image is free when its server is gone.
	const writable = () =>
		run('qemu-io', ['-f', 'qcow2', '-c', 'write 0 512', image]).then(
			() => true,
			() => false,
		);
	await waitFor('nobody to have the image', writable, { timeoutMs: 20_000, everyMs: 100 });
	const again = await answer(home, 'backup', 'import', image, '--machine', 'web01');
	assert.ok(Number(again['newBytes']) < 256 * mebibyte, 'what was stored before is used');
});

test('`--with-backing` reads what an image lies on, and says so', async t => {
	const { directory, home } = await installation(t);
	const [base, image] = ['base.raw', 'disk.qcow2'].map(name => join(directory, name));
	assert.ok(base && image);
	await writeFile(base, randomBytes(mebibyte));
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', base, image]);
	const order = ['backup', 'import', image, '--machine', 'web01'];
	const refusal = await failure(home, ...order, '--format', 'qcow2');
	assert.equal(refusal['code'], 'source_invalid');
	assert.match(String(refusal['hint']), /--with-backing/);
	const { exitCode, stderr } = await startRouse(t, home, [...order, '--with-backing']).ended;
	assert.equal(exitCode, 0);
	assert.ok(stderr.includes(`beneath ${image}, raw is read from ${base}`), stderr);
});

const refusals: [string, string[], string, number][] = [
	['an unknown machine', ['backup', 'show', 'db01@latest'], 'machine_unknown', 5],
	['an unknown point', ['backup', 'verify', 'web01@2001'], 'point_unknown', 5],
	['a repository that is not there', ['backup', 'list', '--repo', 'nowhere'], 'repository_missing', 10],
	['a source that is not there', ['backup', 'import', '/nowhere.raw', '--machine', 'web01'], 'source_invalid', 1],
	[
		'no NBD server',
		['backup', 'import', 'nbd+unix:///?socket=/nowhere', '--machine', 'web01'],
		'source_unreachable',
		8,
	],
	['a name that is none', ['backup', 'import', 'x', '--machine', 'Web_01'], 'usage', 2],
	['a day that is none', ['backup', 'import', 'x', '--machine', 'web01', '--at', '2026-02-30T00:00:00Z'], 'usage', 2],
	[
		'a time without an offset',
		['backup', 'import', 'x', '--machine', 'web01', '--at', '2026-02-01T00:00:00'],
		'usage',
		2,
	],
	[
		'a time that is still to come',
		['backup', 'import', 'x', '--machine', 'web01', '--at', '2999-01-01T00:00:00Z'],
		'usage',
		2,
	],
	['a format that is not known', ['backup', 'import', 'x', '--machine', 'web01', '--format', 'zip'], 'usage', 2],
	['a disk that is not there', ['backup', 'export', 'web01', '--to', '/nowhere/x', '--disk', '1'], 'usage', 2],
];

test('what cannot be is refused with its code and exit code', async t => {
	const { directory, home } = await installation(t);
	const { path } = await rawDisk(directory, 4 * mebibyte);
	const at = '2024-11-20T03:00:00Z';
	await answer(home, 'backup', 'import', path, '--machine', 'web01', '--at', at);
	const again: [string, string[], string, number] = [
		'a point that is there',
		['backup', 'import', path, '--machine', 'web01', '--at', at],
		'point_exists',
		6,
	];
	for (const [what, args, code, exitCode] of [...refusals, again])
		assert.partialDeepStrictEqual(await failure(home, ...args), { type: 'error', code, exitCode }, what);
});

test('a time to come is taken when that is said, and `Next:` names the very point', async t => {
	const { directory, home } = await installation(t);
	const { path } = await rawDisk(directory, 4 * mebibyte);
	const later = ['backup', 'import', path, '--machine', 'web01', '--at', '2999-01-01T00:00:00Z', '--future'];
	assert.match((await rouse(home, later)).stdout, /Next: rouse recover start web01@2999-01-01T00:00:00\.000Z\n/);
	const ended = await rouse(home, ['backup', 'import', path, '--machine', 'web01', '--at', '2020-01-01T00:00:00Z']);
	assert.match(ended.stdout, /Next: rouse recover start web01@2020-01-01T00:00:00\.000Z\n/);
});

test('what is hardly a disk is doubted', async t => {
	const { directory, home } = await installation(t);
	const path = join(directory, 'disk.raw');
	for (const [sizeBytes, doubt] of [
		[5, /5 bytes, which is little/],
		[2 * mebibyte + 1, /2\.00 MiB \(2097153 bytes\), no whole number of sectors/],
		[2 * mebibyte, /^$/],
	] as const) {
		await writeFile(path, Buffer.alloc(sizeBytes, 'x'));
		const { stderr, exitCode } = await rouse(home, ['-q', 'backup', 'import', path, '--machine', `m${sizeBytes}`]);
		assert.equal(exitCode, 0);
		assert.match(stderr, doubt);
	}
});

test('with --json a spec that YAML knows and Rouse does not leaves nothing on stderr but JSON', async t => {
	const { directory, home } = await installation(t);
	const { path } = await rawDisk(directory, 4 * mebibyte);
	const spec = join(directory, 'spec.yaml');
	await writeFile(spec, '? [a, b]\n: 1\n');
	for (const more of [[], ['--debug']]) {
		const ended = await rouse(home, ['backup', 'import', path, '--machine', 'm', '--spec', spec, '--json', ...more]);
		const [line, ...others] = ended.stderr
			.trim()
			.split('\n')
			.map(text => JSON.parse(text));
		assert.deepEqual(others, []);
		assert.match(line.message, /spec\.yaml:1:3: a key must be a plain text/);
	}
});

test('statistics count what is stored and what it stands for', async t => {
	const { directory, home, repository } = await installation(t);
	const { path } = await rawDisk(directory, 4 * mebibyte);
	await answer(home, 'backup', 'import', path, '--machine', 'web01');
	await answer(home, 'backup', 'import', path, '--machine', 'web02');
	assert.partialDeepStrictEqual(await answer(home, 'repo', 'stats', '--repo', repository), {
		machines: 2,
		points: 2,
		disksBytes: 8 * mebibyte,
		dataBytes: 4 * mebibyte,
		intents: 0,
	});
});
