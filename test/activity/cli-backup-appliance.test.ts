import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
	chown,
	cp,
	mkdir,
	mkdtemp,
	open,
	readFile,
	rename,
	rm,
	symlink,
	truncate,
	utimes,
	writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { isRoot } from '../../hypervisors/qemu/confinement.ts';
import { type Appliance, openAppliance } from '../../sources/ovf/appliance.ts';
import { openPackage } from '../../sources/ovf/open-package.ts';
import { type DescribedDisk, describe, pack, withFooter, writeManifest } from '../equipment/appliances.ts';
import { nobody, temporaryDirectory } from '../equipment/captive.ts';
import { type Ended, rouse } from '../equipment/command-line.ts';

process.umask(0o077); // as every entry of Rouse sets it

const run = promisify(execFile);
const mebibyte = 2 ** 20;
const diskBytes = 6 * mebibyte;

interface Parts {
	directory: string;
	/** As the machine has them. */
	contents: Buffer[];
	members: string[];
}

const images = ['web01-disk1.vmdk', 'web01-disk2.vmdk'];
const files = ['web01.ovf', ...images.toReversed()];

/** A description, its manifest, and two disks as streams of VMDK, the second one first: copied for each test. */
let original: Omit<Parts, 'members'>;

before(async () => {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-test-'));
	const contents = [0, 1].map(index => {
		const content = Buffer.alloc(diskBytes);
		randomBytes(2 * mebibyte).copy(content, (1 + 2 * index) * mebibyte);
		return content;
	});
	for (const [index, name] of images.entries()) {
		const [raw, image] = [join(directory, `raw${index}`), join(directory, name)];
		await writeFile(raw, contents[index] ?? '');
		await run('qemu-img', ['convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=streamOptimized', raw, image]);
		await withFooter(image);
	}
	await writeFile(join(directory, 'web01.ovf'), describe(images.map(href => ({ href, bytes: diskBytes }))));
	await writeManifest(directory, 'web01', files);
	original = { directory, contents };
});

after(() => rm(original.directory, { recursive: true }));

async function parts(t: TestContext): Promise<Parts> {
	const directory = join(await temporaryDirectory(t), 'parts');
	await cp(original.directory, directory, { recursive: true });
	return { directory, contents: original.contents, members: ['web01.ovf', 'web01.mf', ...files.slice(1)] };
}

/** A description of these disks beside them. */
async function described(t: TestContext, disks: readonly DescribedDisk[]): Promise<string> {
	const directory = join(await temporaryDirectory(t), 'parts');
	await mkdir(directory);
	await writeFile(join(directory, 'web01.ovf'), describe(disks));
	return directory;
}

async function repository(t: TestContext): Promise<string> {
	const directory = await temporaryDirectory(t);
	const made = await rouse(join(directory, 'home'), ['repo', 'init', join(directory, 'main')]);
	assert.equal(made.exitCode, 0, made.stderr);
	return join(directory, 'home');
}

async function imported(home: string, ...args: string[]): Promise<{ answer: Record<string, unknown>; stderr: string }> {
	const ended = await rouse(home, ['backup', 'import', ...args, '--json']);
	assert.equal(ended.exitCode, 0, ended.stderr);
	return { answer: JSON.parse(ended.stdout), stderr: ended.stderr };
}

async function opened(t: TestContext, path: string): Promise<Appliance & { said: string[] }> {
	const said: string[] = [];
	const say = (message: string) => said.push(message);
	const appliance = await openAppliance(path, { signal: t.signal, onNote: say, onDoubt: say });
	t.after(() => Promise.all(appliance.disks.map(({ disk }) => disk.close())));
	return { ...appliance, said };
}

const refused = (t: TestContext, path: string, message: RegExp) =>
	assert.rejects(opened(t, path), { code: 'source_invalid', message });

async function contentOf({ disk }: Appliance['disks'][number], signal: AbortSignal): Promise<Buffer> {
	const content = Buffer.alloc(disk.sizeBytes);
	await disk.read(0, content, signal);
	return content;
}

const warnings = ({ stderr }: Pick<Ended, 'stderr'>) => stderr.split('\n').filter(line => line.includes('warning'));

test('an OVA is imported in place: its disks in the order of their addresses, its configuration, and what --spec says instead', async t => {
	const home = await repository(t);
	const { directory, contents, members } = await parts(t);
	const ova = await pack(directory, 'web01.ova', members);
	const spec = join(directory, 'spec.yaml');
	await writeFile(spec, 'memoryMiB: 2048\n');
	const { answer, stderr } = await imported(home, ova, '--spec', spec);
	assert.deepEqual(warnings({ stderr }), []);
	assert.partialDeepStrictEqual(answer, { machine: 'web01', disks: contents.map(() => ({ sizeBytes: diskBytes })) });
	const raw = await imported(home, join(directory, 'raw0'), join(directory, 'raw1'), '--machine', 'raw01');
	assert.equal(raw.answer['newBytes'], 0, 'raw, they are the same');
	const shown = await rouse(home, ['backup', 'show', 'web01@latest', '--json']);
	assert.partialDeepStrictEqual(JSON.parse(shown.stdout), {
		assumed: [],
		config: {
			cpus: 3,
			memoryMiB: 2048,
			firmware: 'efi',
			os: 'linux',
			nics: [{ mac: '00:50:56:01:02:03', network: 'lan' }],
			origin: { kind: 'appliance', detail: 'vmdk web01-disk1.vmdk, vmdk web01-disk2.vmdk' },
		},
	});
	// Beside their description they are the same, and in the archive of a directory.
	const nested = await pack(
		join(directory, '..'),
		'nested.ova',
		['parts/web01.ovf', 'parts/web01-disk1.vmdk', 'parts/web01-disk2.vmdk'],
		['--format=posix'],
	);
	for (const path of [ova, join(directory, 'web01.ovf'), nested]) {
		const found = await opened(t, path);
		for (const [index, disk] of found.disks.entries())
			assert.ok(contents[index]?.equals(await contentOf(disk, t.signal)), `${path}, disk ${index}`);
		assert.equal(/has no manifest/.test(found.said.join()), path === nested);
	}
});

test('a file that is not what the manifest says is refused by its name, and a signature is not looked at', async t => {
	const { directory, members } = await parts(t);
	await writeFile(join(directory, 'web01.cert'), 'SHA256(web01.mf)= 00\n');
	const disk = await open(join(directory, 'web01-disk1.vmdk'), 'r+');
	const byte = Buffer.alloc(1);
	await disk.read(byte, 0, 1, 70_000);
	byte.writeUInt8(byte.readUInt8(0) ^ 1);
	await disk.write(byte, 0, 1, 70_000);
	await disk.close();
	const ova = await pack(directory, 'web01.ova', [...members, 'web01.cert']);
	for (const path of [ova, join(directory, 'web01.ovf')])
		await refused(t, path, /web01-disk1\.vmdk is not what web01\.mf says: its SHA256 is [\da-f]{64}, and should be/);
	await writeManifest(directory, 'web01', ['web01.ovf', 'web01-disk2.vmdk']);
	await writeFile(
		join(directory, 'web01.mf'),
		`${await readFile(join(directory, 'web01.mf'), 'utf8')}SHA1(gone.iso)= ${'0'.repeat(40)}\n`,
	);
	await pack(directory, 'web01.ova', ['web01.ovf', 'web01.mf', 'web01-disk1.vmdk', 'web01-disk2.vmdk', 'web01.cert']);
	// The byte is in a grain, which has no digest of its own.
	const said = (await opened(t, ova)).said.join('\n');
	assert.match(said, /who signed it is not checked/);
	assert.match(said, /names what cannot be compared: .* has no gone\.iso/);
	assert.match(said, /does not have web01-disk1\.vmdk: whether it is whole is not compared/);
});

test('disks that are raw or qcow2 are read where they lie, of whatever length', async t => {
	const content = Buffer.alloc(3 * mebibyte + 5);
	randomBytes(mebibyte).copy(content, mebibyte);
	content.write('end', content.length - 3);
	const whole = Buffer.concat([content, Buffer.alloc(507)]);
	const two = [
		{
			href: 'a',
			format: 'http://www.vmware.com/specifications/vmdk.html#sparse',
			volumeFormat: 'RAW',
			bytes: content.length,
		},
		{ href: 'b', format: 'http://www.gnome.org/~markmc/qcow-image-format.html', bytes: 2 ** 31 },
	];
	const directory = await described(t, two);
	await writeFile(join(directory, 'a'), content);
	await writeFile(join(directory, 'whole'), whole);
	const image = join(directory, 'b');
	await run('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', join(directory, 'whole'), image]);
	// What follows in the archive is no part of it.
	await writeFile(join(directory, 'c'), randomBytes(mebibyte));
	const ova = await pack(directory, 'web01.ova', ['web01.ovf', 'a', 'b', 'c'], ['--format=gnu']);
	const { disks, said } = await opened(t, ova);
	const [raw, qcow2] = disks;
	assert.match(said.join('\n'), /\/b is a disk of 3\.00 MiB .*, and the description says 2\.00 GiB/);
	assert.ok(raw && qcow2);
	assert.deepEqual(await contentOf(raw, t.signal), content);
	assert.deepEqual(await contentOf(qcow2, t.signal), whole);
	let reached = 0;
	for await (const { offsetBytes, lengthBytes } of raw.disk.extents(t.signal)) {
		assert.equal(offsetBytes, reached);
		reached += lengthBytes;
	}
	assert.equal(reached, content.length);
});

test('an OVA that is cut, sparse, compressed or none is refused with what it is', async t => {
	const { directory, members } = await parts(t);
	const ova = await pack(directory, 'web01.ova', members);
	await run('gzip', ['-k', ova]);
	await rename(`${ova}.gz`, join(directory, 'gz.ova'));
	await refused(t, join(directory, 'gz.ova'), /is no appliance: it is compressed by gzip/);
	await writeFile(join(directory, 'none.ova'), randomBytes(4096));
	await refused(
		t,
		join(directory, 'none.ova'),
		/none\.ova is no tar archive, or damaged: at 0 of the archive there is no header: where its checksum belongs there is /,
	);
	await writeFile(join(directory, 'holes'), '');
	await truncate(join(directory, 'holes'), mebibyte);
	const sparse = await pack(directory, 'sparse.ova', ['web01.ovf', 'holes'], ['--format=gnu', '--sparse']);
	await refused(t, sparse, /"holes" lies in it without its holes/);
	const twice = await pack(
		directory,
		'twice.ova',
		['web01.ovf', 'web01-disk1.vmdk', 'web01-disk1.vmdk'],
		['--format=ustar', '--hard-dereference'],
	);
	await refused(t, twice, /has web01-disk1\.vmdk twice/);
	await refused(
		t,
		await pack(directory, 'bare.ova', ['web01-disk1.vmdk']),
		/has no description of a machine \(\.ovf\) in it: web01-disk1\.vmdk/,
	);
	await refused(
		t,
		await pack(directory, 'lost.ova', ['web01.ovf', 'web01-disk1.vmdk']),
		/has no web01-disk2\.vmdk, which its description names/,
	);
	await truncate(ova, 100_000);
	await refused(t, ova, /web01\.ova is cut short: it ends at .*, within "web01-disk\d\.vmdk"/);
});

test('a disk in an archive that is damaged, or only a part, is refused', async t => {
	const { directory, members } = await parts(t);
	const withDisk = async (name: string) =>
		await pack(
			directory,
			name,
			members.filter(member => !member.endsWith('.mf')),
		);
	const disk = join(directory, 'web01-disk1.vmdk');
	// Cut, and yet a whole number of sectors: what follows it in the archive must not pass for its end.
	await truncate(disk, 1_049_600);
	await refused(t, await withDisk('cut.ova'), /cut\.ova\/web01-disk1\.vmdk is damaged: it is a stream without an end/);
	await writeFile(
		disk,
		'# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 8 FLAT "web01-disk1-flat.vmdk" 0\n',
	);
	await writeFile(join(directory, 'web01-disk1-flat.vmdk'), Buffer.alloc(4096));
	await refused(
		t,
		await withDisk('flat.ova'),
		/web01-disk1\.vmdk is only a part: the rest is in "web01-disk1-flat\.vmdk"/,
	);
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', '/etc/hostname', disk, '1M']);
	const qcow2 = 'http://www.gnome.org/~markmc/qcow-image-format.html';
	await writeFile(
		join(directory, 'web01.ovf'),
		describe([{ href: 'web01-disk1.vmdk', format: qcow2, bytes: mebibyte }]),
	);
	await refused(t, await withDisk('backed.ova'), /is only a part: the rest is in "\/etc\/hostname"/);
	await refused(t, join(directory, 'web01.ovf'), /is not what web01\.mf says|is only a part/);
});

test('names in a description lead to files beside it, and to nothing else', async t => {
	const vmdk = { bytes: mebibyte };
	for (const href of ['../x.vmdk', '/etc/shadow', 'http://127.0.0.1/x.vmdk', '..%2fx.vmdk'])
		await refused(
			t,
			join(await described(t, [{ href, ...vmdk }]), 'web01.ovf'),
			/is no name of a file beside the description/,
		);
	const disk = { volumeFormat: 'RAW', bytes: mebibyte };
	const twice = await described(t, [
		{ href: 'a%20b', ...disk },
		{ href: 'a b', ...disk },
	]);
	await writeFile(join(twice, 'a b'), Buffer.alloc(mebibyte));
	await refused(t, join(twice, 'web01.ovf'), /two of its disks are in a b$/);
	const once = await described(t, [{ href: 'a%20b', ...disk }]);
	await writeFile(join(once, 'a b'), Buffer.alloc(mebibyte));
	await writeFile(join(once, 'web01.mf'), '');
	await writeManifest(once, 'web01', ['web01.mf', 'web01.ovf', 'a b']);
	await writeFile(join(once, '._web01.ovf'), 'attributes of a file, as macOS keeps them');
	const ova = await pack(once, 'web01.ova', ['._web01.ovf', 'web01.ovf', 'web01.mf', 'a b']);
	for (const path of [ova, join(once, 'web01.ovf')])
		assert.deepEqual((await opened(t, path)).said, ['disk 1: a b (SCSI 0:0)'], 'the manifest has it by its name');
	const directory = await described(t, [{ href: 'link.vmdk', ...vmdk }]);
	await symlink('/etc/hostname', join(directory, 'link.vmdk'));
	await refused(t, join(directory, 'web01.ovf'), /is a symbolic link/);
	await writeFile(join(directory, '\x1b[2J'), '');
	await refused(
		t,
		await pack(directory, 'web01.ova', ['web01.ovf', '\x1b[2J']),
		/has a name in it with control characters/,
	);
});

if (isRoot())
	test('a description does not have read what its owner may not read', async t => {
		const directory = await described(t, [{ href: 'a', volumeFormat: 'RAW', bytes: mebibyte }]);
		await writeFile(join(directory, 'a'), Buffer.alloc(mebibyte));
		await chown(join(directory, 'web01.ovf'), nobody, nobody);
		await refused(t, join(directory, 'web01.ovf'), /\/a may not be read by user 65534, who owns its description/);
	});

test('an OVA that is written after it was looked at makes no point', async t => {
	const { directory, members } = await parts(t);
	const ova = await pack(directory, 'web01.ova', members);
	const { disks } = await opened(t, ova);
	const [first] = disks;
	await first?.disk.checkUnchanged?.();
	await utimes(ova, 1, 1);
	await assert.rejects(async () => await first?.disk.checkUnchanged?.(), /web01\.ova changed while it was read/);
	const packed = await openPackage(ova, t.signal);
	t.after(() => packed.close());
	await rename(join(directory, 'web01-disk1.vmdk'), ova);
	await assert.rejects(packed.open('web01-disk2.vmdk'), /web01\.ova was moved, removed or exchanged/);
});

test('an appliance is the whole machine, and what is for disks is refused beside it', async t => {
	const home = await repository(t);
	const cases: [args: string[], said: RegExp][] = [
		[['a.ova', 'b.raw', '--machine', 'web01'], /a\.ova is a whole machine, and nothing else is imported with it/],
		[['a.ova', '--format', 'vmdk'], /--format is for images, and a\.ova is an appliance/],
		[['a.OVF', '--partial'], /--partial is for images/],
		[['a.raw'], /^error: --machine NAME is missing\n/],
	];
	for (const [args, said] of cases) {
		const { exitCode, stderr } = await rouse(home, ['backup', 'import', ...args]);
		assert.match(stderr, said);
		assert.equal(exitCode, 2);
	}
	const directory = await described(t, []);
	await writeFile(
		join(directory, 'web01.ovf'),
		describe([{ href: 'a', volumeFormat: 'RAW', bytes: mebibyte }], 'pay roll'),
	);
	await writeFile(join(directory, 'a'), Buffer.alloc(mebibyte));
	const { stderr } = await rouse(home, ['backup', 'import', join(directory, 'web01.ovf')]);
	assert.match(stderr, /--machine NAME is missing: its own name is none that a machine may have here/);
});
