/** NTFS that ntfs-3g has written, with a registry that hivex has: read by us, and what is left when any byte is another. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { inspectDisks } from '../../inspection/inspect.ts';
import { openNtfs } from '../../inspection/ntfs/file-system.ts';
import { find, namesAt, textAt } from '../../inspection/paths.ts';
import { Hive } from '../../inspection/registry/hive.ts';
import { asRouseError } from '../../model/errors.ts';
import type { StatedSpec } from '../../model/machine.ts';
import { machineConfig } from '../../sources/machine/config.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { memoryDisk, placesWithBytes } from '../equipment/guest-trees.ts';
import { boundedImage, contentAt, outlivesOtherBytes } from '../equipment/looked-at.ts';

const run = promisify(execFile);
const { signal } = new AbortController();
const mebibyte = 2 ** 20;

/** A volume as mkntfs makes it, with what `write` writes into it where it is mounted. */
async function volumeOf(
	t: TestContext,
	write: (mounted: string) => Promise<unknown>,
	{ sizeMiB = 32, options = [] as string[] } = {},
): Promise<Buffer> {
	const directory = await temporaryDirectory(t);
	const image = join(directory, 'image');
	const mounted = join(directory, 'mounted');
	await writeFile(image, '');
	await truncate(image, sizeMiB * mebibyte);
	await run('mkntfs', ['--force', '--quick', '--quiet', ...options, image]);
	await mkdir(mounted);
	await run('ntfs-3g', ['-o', 'compression', image, mounted]);
	try {
		await write(mounted);
	} finally {
		await run('umount', [mounted]);
	}
	return await readFile(image);
}

/**
 * The smallest hive there is, by the specification: a header and one bin with an empty root key, its security and a free cell. hivex
 * writes all else.
 */
function emptyHive(): Buffer {
	const hive = Buffer.alloc(8192);
	hive.write('regf', 0, 'latin1');
	for (const [at, value] of [
		[4, 1],
		[8, 1],
		[20, 1],
		[24, 3],
		[32, 1],
		[36, 0x20],
		[40, 4096],
		[44, 1],
	] as const)
		hive.writeUInt32LE(value, at);
	let sum = 0;
	for (let at = 0; at < 508; at += 4) sum ^= hive.readUInt32LE(at);
	hive.writeInt32LE(sum, 508);
	const bin = hive.subarray(4096);
	bin.write('hbin', 0, 'latin1');
	bin.writeUInt32LE(4096, 8);
	bin.writeInt32LE(-88, 0x20);
	const root = bin.subarray(0x24);
	root.write('nk', 0, 'latin1');
	root.writeUInt16LE(0x2c, 2);
	for (const at of [0x1c, 0x20, 0x28, 0x30]) root.writeUInt32LE(0xffff_ffff, at);
	root.writeUInt32LE(0x78, 0x2c);
	root.writeUInt16LE(4, 0x48);
	root.write('ROOT', 0x4c, 'latin1');
	// Who may read the keys: its own neighbour in the list of all, with a descriptor of which nothing is asked.
	bin.writeInt32LE(-48, 0x78);
	bin.write('sk', 0x7c, 'latin1');
	for (const [at, value] of [
		[4, 0x78],
		[8, 0x78],
		[12, 1],
		[16, 20],
	] as const)
		bin.writeUInt32LE(value, 0x7c + at);
	bin.writeInt32LE(4096 - 0x78 - 48, 0x78 + 48);
	return hive;
}

/** Services by their Start; `disk\StartOverride` is a key beneath one. */
async function systemHive(t: TestContext, starts: Readonly<Record<string, number>>): Promise<Buffer> {
	const path = join(await temporaryDirectory(t), 'SYSTEM');
	await writeFile(path, emptyHive());
	const number = (name: string, value: number) => ['setval 1', name, `dword:${value}`];
	const lines = ['cd \\', 'add Select', 'cd Select', ...number('Current', 2)];
	lines.push('cd \\', 'add ControlSet002', 'cd ControlSet002', 'add Services', 'cd Services');
	for (let index = 0; index < 300; index++) lines.push(`add other${index}`);
	for (const [name, start] of Object.entries(starts)) {
		const [service = '', beneath] = name.split('\\');
		if (beneath === undefined) lines.push(`add ${service}`, `cd ${service}`, ...number('Start', start), 'cd ..');
		else lines.push(`cd ${service}`, `add ${beneath}`, `cd ${beneath}`, ...number('0', start), 'cd ..', 'cd ..');
	}
	lines.push('commit', 'exit');
	const shell = run('hivexsh', ['-w', path]);
	shell.child.stdin?.end(`${lines.join('\n')}\n`);
	await shell;
	return await readFile(path);
}

const starts = { vmbus: 0, StorVSC: 0, 'StorVSC\\StartOverride': 3, viostor: 0, storahci: 3 };

test('`Hive` reads what hivex has written, and with any byte changed comes back or refuses by code', async t => {
	const bytes = await systemHive(t, starts);
	const look = (hive: Hive) => {
		const services = hive.key(['controlset002', 'SERVICES']);
		assert.ok(services);
		const number = (...path: string[]) => {
			const key = hive.key(path, services);
			return key && hive.number(key, path.length > 1 ? '0' : 'start');
		};
		return [
			hive.keysOf(services).length,
			number('vmbus'),
			number('storvsc', 'startoverride'),
			number('other7'),
			number('x'),
		];
	};
	assert.deepEqual(look(new Hive(bytes)), [304, 0, 3, undefined, undefined]);
	const places = placesWithBytes(bytes);
	// hivex leaves lists behind that it has written anew.
	const step = Math.ceil(places.length / 1500);
	for (const [index, at] of places.entries()) {
		if (index % step !== 0) continue;
		const torn = Buffer.from(bytes);
		torn.writeUInt8(torn.readUInt8(at) ^ (1 << (index % 8)), at);
		try {
			look(new Hive(torn));
		} catch (error) {
			if (error instanceof assert.AssertionError) continue;
			assert.equal(asRouseError(error).code, 'source_invalid', `byte ${at}: ${String(error)}`);
		}
	}
	assert.throws(() => new Hive(Buffer.alloc(100)), { code: 'source_invalid' });
});

suite('`openNtfs`', () => {
	for (const options of [[], ['--cluster-size', '512'], ['--cluster-size', '65536']])
		test(`reads files and directories, small and large, in pieces, with removed names: ${options.join(' ')}`, async t => {
			const large = Buffer.from(Array.from({ length: 200_000 }, (_, index) => String(index)).join(' '));
			const holes = Buffer.alloc(4 * mebibyte);
			const image = await volumeOf(
				t,
				async mounted => {
					await mkdir(join(mounted, 'Windows', 'many'), { recursive: true });
					await writeFile(join(mounted, 'Windows', 'small'), 'small');
					await writeFile(join(mounted, 'Windows', 'Largé'), large);
					for (let index = 0; index < 1200; index++)
						await writeFile(join(mounted, 'Windows', 'many', `name-${index}`), '');
					for (let index = 0; index < 1200; index++)
						if (index % 400 !== 7) await rm(join(mounted, 'Windows', 'many', `name-${index}`));
					const file = await open(join(mounted, 'holes'), 'w');
					await file.truncate(holes.length);
					for (let at = 0; at < holes.length; at += 128 * 1024) {
						holes.fill(`at ${at} `, at, at + 4096);
						await file.write(holes, at, 4096, at);
					}
					await file.close();
				},
				{ options },
			);
			const volume = boundedImage(image);
			const fileSystem = await openNtfs(volume);
			assert.ok(fileSystem);
			assert.equal(await textAt(fileSystem, '/windows/SMALL', 100), 'small');
			assert.equal(await textAt(fileSystem, '/Windows/LARGÉ', 4 * mebibyte), large.toString());
			const left = await namesAt(fileSystem, '/Windows/many', () => true, 5000);
			assert.deepEqual(left?.toSorted(), ['name-407', 'name-7', 'name-807']);
			assert.equal(await find(fileSystem, '/Windows/none'), undefined);
			assert.ok((await contentAt(fileSystem, '/holes', 5)).equals(holes.subarray(5)));
		});

	test('refuses a compressed file', async t => {
		const image = await volumeOf(t, async mounted => {
			const folder = join(mounted, 'packed');
			await mkdir(folder);
			// FILE_ATTRIBUTE_COMPRESSED: what is made in such a folder is compressed.
			const set = 'import os, sys; os.setxattr(sys.argv[1], "system.ntfs_attrib", bytes([0, 8, 0, 0]))';
			await run('python3', ['-c', set, folder]);
			await writeFile(join(folder, 'text'), 'the same again, '.repeat(50_000));
		});
		const fileSystem = await openNtfs(boundedImage(image));
		assert.ok(fileSystem);
		await assert.rejects(textAt(fileSystem, '/packed/text', mebibyte), {
			code: 'source_invalid',
			message: /compressed/,
		});
	});
});

suite('`inspectDisks` of a disk with Windows', () => {
	const windowsVolume = async (t: TestContext) => {
		const hive = await systemHive(t, starts);
		return await volumeOf(
			t,
			async mounted => {
				const folder = join(mounted, 'WINDOWS', 'system32', 'Config');
				await mkdir(folder, { recursive: true });
				await writeFile(join(folder, 'system'), hive);
			},
			{ sizeMiB: 8 },
		);
	};

	test('tells when its drivers are started', async t => {
		const image = await windowsVolume(t);
		const { boot, failures } = await inspectDisks([{ disk: memoryDisk(image), partitions: undefined }], signal);
		assert.deepEqual([failures, boot.notLookedAt], [[], []]);
		assert.partialDeepStrictEqual(boot.windows?.starts, {
			vmbus: 0,
			storvsc: 3,
			viostor: 0,
			storahci: 3,
			netkvm: null,
		});
		const described = { kind: 'image', name: 'raw web01.raw', config: {}, disks: [{ serial: null, sectors: null }] };
		const seen = (spec: StatedSpec) =>
			machineConfig({ machine: 'web01', spec, described }, [memoryDisk(image)], signal);
		assert.partialDeepStrictEqual((await seen({})).config, { os: 'windows', clock: 'localtime' });
		assert.partialDeepStrictEqual((await seen({ os: 'other' })).config, { os: 'other', clock: 'utc' });
	});

	test('comes back within bounds when any byte of the metadata is another', async t => {
		const image = await windowsVolume(t);
		// The log is full of 0xff, and nothing reads it.
		const places = placesWithBytes(image).filter(at => image[at] !== 0xff);
		await outlivesOtherBytes([image], { places, every: Math.ceil(places.length / 500) });
	});
});
