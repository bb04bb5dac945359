import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, lchown, mkdir, readdir, readFile, rename, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { cagedFiles } from '../../sources/block-nodes.ts';
import { caged, type CageLimits } from '../../sources/cage.ts';
import { checkWhole } from '../../sources/image-check.ts';
import { closeLayers, type ImageLayer, type ImageTrust, openLayers } from '../../sources/image-layers.ts';
import { openSource } from '../../sources/open-source.ts';
import { serveImage } from '../../sources/qemu-nbd.ts';
import { runTool, type ToolRun } from '../../system/run-tool.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { Random } from '../equipment/seeds/random.ts';
import { VhdxLayer } from '../equipment/vhdx-layer.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const isRoot = process.geteuid?.() === 0;
const sizeBytes = 2 ** 20;
const secret = 'what no image may have read '.repeat(2000);

/** A directory with a file that belongs to nobody's image. */
process.umask(0o077); // as every entry of Rouse sets it

async function place(t: TestContext): Promise<{ directory: string; hidden: string; at: (name: string) => string }> {
	const directory = await temporaryDirectory(t);
	await mkdir(join(directory, 'images'));
	const hidden = join(directory, 'hidden');
	await writeFile(hidden, secret.padEnd(sizeBytes, '.'));
	return { directory, hidden, at: name => join(directory, 'images', name) };
}

async function layersOf(t: TestContext, path: string, trust: ImageTrust = {}): Promise<ImageLayer[]> {
	const layers = await openLayers(path, trust);
	t.after(() => closeLayers(layers));
	return layers;
}

async function refused(path: string, message: RegExp, trust: ImageTrust = {}): Promise<void> {
	const told: string[] = [];
	const opening = openSource(path, { ...trust, onReference: text => told.push(text), signal: never });
	// One that is opened in spite of all must not stay.
	opening.then(disk => disk.close()).catch(() => {});
	await assert.rejects(opening, { code: 'source_invalid', message });
}

const descriptor = (extent: string, kind = 'monolithicFlat') =>
	`# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="${kind}"\n${extent}\n`;
const sectors = sizeBytes / 512;

test('a qcow2 that lies on another file of the host is refused, also with its format said', async t => {
	const { at, hidden } = await place(t);
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', hidden, at('a.qcow2')]);
	await refused(at('a.qcow2'), /only a part: the rest is in ".*hidden"/);
	await refused(at('a.qcow2'), /only a part/, { format: 'qcow2' });
	await run('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-F', 'raw', '-b', '/etc/shadow', at('b.qcow2'), '1M']);
	await refused(at('b.qcow2'), /only a part/, { format: 'qcow2' });
});

test('a qcow2 whose data is in another file of the host is refused', async t => {
	const { at, hidden } = await place(t);
	const options = `data_file=${at('x.data')},data_file_raw=on`;
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, at('a.qcow2'), '1M']);
	const image = await readFile(at('a.qcow2'));
	const name = image.indexOf(at('x.data'));
	const other = hidden.padEnd(at('x.data').length, '/').slice(0, at('x.data').length);
	image.write(other, name);
	await writeFile(at('a.qcow2'), image);
	await refused(at('a.qcow2'), /only a part/);
	await refused(at('a.qcow2'), /only a part/, { format: 'qcow2' });
});

for (const backing of ['json:{"driver":"file","filename":"/etc/shadow"}', 'nbd:unix:/run/x.sock', 'nbd://127.0.0.1/x'])
	test(`a qcow2 that lies on ${backing} is refused, also with \`withBacking\``, async t => {
		const { at } = await place(t);
		await run('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-F', 'raw', '-b', backing, at('a.qcow2'), '1M']);
		await refused(at('a.qcow2'), /no plain path/, { withBacking: true });
	});

test('images that lie on each other, or on too many, are refused', async t => {
	const { at } = await place(t);
	for (const [top, base] of [
		['a', 'b'],
		['b', 'a'],
	] as const)
		await run('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', base, at(top), '1M']);
	await refused(at('a'), /lies beneath itself/, { withBacking: true });
	for (let index = 0; index <= 64; index++) {
		const base = String(index + 1);
		await run('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', base, at(String(index)), '1M']);
	}
	await refused(at('0'), /the top of more than 64 images/, { withBacking: true });
});

const extents: [what: string, extent: string, message: RegExp][] = [
	['an absolute path', `RW ${sectors} FLAT "/etc/shadow" 0`, /only files beside it are read/],
	['a path upwards', `RW ${sectors} FLAT "../hidden" 0`, /only files beside it are read/],
	["another machine's disk", `RW ${sectors} FLAT "other-flat.vmdk" 0`, /only files beside it are read/],
	['a device', `RW ${sectors} FLAT "/dev/vda" 0`, /stands for a device/],
	['a link', `RW ${sectors} FLAT "a-link.vmdk" 0`, /a-link\.vmdk is a symbolic link/],
	['a FIFO', `RW ${sectors} FLAT "a-fifo.vmdk" 0`, /a-fifo\.vmdk is neither a file nor a block device/],
];
for (const [what, extent, message] of extents)
	test(`a VMDK whose extent is ${what} is refused, also with all that can be said`, async t => {
		const { at, hidden } = await place(t);
		await writeFile(at('other-flat.vmdk'), secret);
		await symlink(hidden, at('a-link.vmdk'));
		await run('mkfifo', [at('a-fifo.vmdk')]);
		await writeFile(at('a.vmdk'), descriptor(extent));
		await refused(at('a.vmdk'), message);
		await refused(at('a.vmdk'), message, { format: 'vmdk', withBacking: true });
	});

test('a sparse VMDK without a size of its own is taken by the extents that its descriptor names', async t => {
	const { at, hidden } = await place(t);
	const image = Buffer.alloc(65536);
	image.write('KDMV');
	image.writeUInt32LE(1, 4);
	image.writeBigUInt64LE(1n, 28);
	image.writeBigUInt64LE(20n, 36);
	image.write(descriptor(`RW ${sectors} FLAT "${hidden}" 0`), 512);
	await writeFile(at('a.vmdk'), image);
	await refused(at('a.vmdk'), /only files beside it are read/);
});

test('a differencing VHD is refused, since what only its parent holds would read as zeros', async t => {
	const { at, hidden } = await place(t);
	await run('qemu-img', ['convert', '-f', 'raw', '-O', 'vpc', hidden, at('a.vhd')]);
	const vhd = await readFile(at('a.vhd'));
	for (const footer of [0, vhd.length - 512]) vhd.writeUInt32BE(4, footer + 60);
	await writeFile(at('a.vhd'), vhd);
	await refused(at('a.vhd'), /only a part, a differencing disk/, { withBacking: true });
});

test('a qcow2 that lies on a differencing VHDX is refused, since QEMU reads none', async t => {
	const { at } = await place(t);
	const random = new Random(1);
	const measures = { sizeBytes, blockBytes: sizeBytes, sectorBytes: 512 } as const;
	const base = new VhdxLayer(random, measures);
	await base.save(at('base.vhdx'));
	const locator = { parent_linkage: `{${base.dataWriteGuid}}`, relative_path: 'base.vhdx' };
	await new VhdxLayer(random, measures, locator).save(at('a.avhdx'));
	await run('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-F', 'vhdx', '-b', 'a.avhdx', at('a.qcow2'), '1M']);
	await refused(at('a.qcow2'), /a\.avhdx is of a kind that QEMU does not read/, { withBacking: true });
});

test('a FIFO or a foreign link in the place of an image is refused at once', async t => {
	const { at, hidden } = await place(t);
	await run('mkfifo', [at('fifo')]);
	await refused(at('fifo'), /neither a file nor a block device/, { format: 'raw' });
	await symlink(hidden, at('own'));
	await (await openSource(at('own'), { signal: never })).close();
	if (!isRoot) return; // nobody else can give a link to another user
	await lchown(at('own'), 65_534, 65_534);
	await refused(at('own'), /symbolic link of user 65534, and leads to a file of user 0/);
	await chown(hidden, 65_534, 65_534);
	await chmod(hidden, 0o600);
	await (await openSource(at('own'), { signal: never })).close();
});

test('a file that takes the place of the one that was looked at is not served', async t => {
	const { at, hidden } = await place(t);
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', at('a.qcow2'), '1M']);
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', hidden, at('b.qcow2')]);
	const layers = await layersOf(t, at('a.qcow2'));
	await rename(at('b.qcow2'), at('a.qcow2'));
	await assert.rejects(serveImage(layers, never), { code: 'source_invalid', message: /exchanged while it was opened/ });
	await assert.rejects(checkWhole(layers, { signal: never }), {
		code: 'source_invalid',
		message: /exchanged while it was opened/,
	});
});

test('a file that is exchanged while its cage is built is not shown', async t => {
	const { at, hidden } = await place(t);
	await writeFile(at('a.raw'), 'the disk');
	const files = cagedFiles(await layersOf(t, at('a.raw'), { format: 'raw' }));
	const { program, args, ...more } = caged('cat', ['/image/0/a.raw'], { files, limits });
	await rename(at('a.raw'), at('b.raw'));
	await symlink(hidden, at('a.raw'));
	const { code, stdout, stderr } = await runTool(program, args, { ...more, cwd: '/', hint: 'none' });
	assert.deepEqual([code, stdout, stderr], [1, '', 'cage: exchanged image/0/a.raw\n']);
});

test('a file that was only renamed is served', async t => {
	const { at } = await place(t);
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', at('a.qcow2'), '1M']);
	const layers = await layersOf(t, at('a.qcow2'));
	await rename(at('a.qcow2'), at('b #\\ ä\n.qcow2'));
	const { client, close } = await serveImage(layers, never);
	t.after(close);
	assert.equal(client.sizeBytes, sizeBytes);
});

test('a header that is rewritten after the look leads nowhere', async t => {
	const { at, hidden } = await place(t);
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', at('a.qcow2'), '1M']);
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', hidden, at('b.qcow2')]);
	const layers = await layersOf(t, at('a.qcow2'));
	await writeFile(at('a.qcow2'), await readFile(at('b.qcow2'))); // the same file, another content
	await checkWhole(layers, { signal: never });
	const { client, close } = await serveImage(layers, never);
	t.after(close);
	const content = Buffer.alloc(sizeBytes, 1);
	await client.read(0, content, never);
	assert.ok(content.equals(Buffer.alloc(sizeBytes)));
});

test('a descriptor that is rewritten after the look finds no other file', async t => {
	const { at, hidden } = await place(t);
	await writeFile(at('a-flat.vmdk'), Buffer.alloc(sizeBytes));
	await writeFile(at('a.vmdk'), descriptor(`RW ${sectors} FLAT "a-flat.vmdk" 0`));
	const layers = await layersOf(t, at('a.vmdk'));
	await writeFile(at('a.vmdk'), descriptor(`RW ${sectors} FLAT "${hidden}" 0`));
	await assert.rejects(serveImage(layers, never), { code: 'source_invalid', message: /No such file or directory/ });
});

test('an image that would take all memory is refused', async t => {
	const { at } = await place(t);
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'cluster_size=512', at('a.qcow2'), '1M']);
	await truncate(at('a.qcow2'), 2 ** 42); // a count of two bytes for each cluster: 16 GiB
	await refused(at('a.qcow2'), /a\.qcow2 (cannot be read as a disk image|is damaged)/);
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', at('b.qcow2'), '1M']);
	const header = await readFile(at('b.qcow2'));
	header.writeBigUInt64BE(2n ** 62n, 24);
	header.writeUInt32BE(2 ** 31 - 1, 36); // entries of its first table
	await writeFile(at('b.qcow2'), header);
	await refused(at('b.qcow2'), /b\.qcow2 is damaged: its L1 table/);
});

const limits: CageLimits = { memoryBytes: 2 ** 28, cpuSeconds: 1 };

async function inCageOf(layers: readonly ImageLayer[], script: string): Promise<ToolRun> {
	const files = cagedFiles(layers);
	const { program, args, ...more } = caged('sh', ['-c', script], { files, limits });
	return await runTool(program, args, { ...more, cwd: '/', signal: AbortSignal.timeout(20_000), hint: 'none' });
}

test('in a cage there is no other file of the host, no network, no process and no way out', async t => {
	const { at, hidden } = await place(t);
	await writeFile(at('a.raw'), 'the disk');
	const layers = await layersOf(t, at('a.raw'), { format: 'raw' });
	const beside = await inCageOf(layers, 'cat /image/0/a.raw; ls -A / /dev /etc /socket /image');
	assert.equal(beside.stderr, '');
	const system = ['bin', 'lib', 'lib32', 'lib64', 'nix', 'sbin', 'usr'];
	const names = beside.stdout.split('\n').filter(name => !system.includes(name));
	assert.equal(
		names.join(' '),
		'the disk/: dev etc image mounts socket  /dev: null  /etc: ld.so.cache  /image: 0  /socket: ',
	);
	const tries = [
		`cat ${hidden}`,
		'cat /etc/shadow',
		'echo more >>/image/0/a.raw',
		'echo x >/usr/rouse-test',
		'kill -0 -1',
		'chroot / true',
		'mount -t tmpfs none /socket',
		'unshare -r true',
		'unshare -m true',
		`bash -c ': </dev/tcp/127.0.0.1/${await listening(t)}'`,
	];
	for (const attempt of tries) {
		const { code, stdout } = await inCageOf(layers, `${attempt} && echo done`);
		assert.deepEqual([attempt, code === 0, stdout], [attempt, false, '']);
	}
	const greedy = await inCageOf(layers, 'yes | head -c 400000000 | tail -c 300000000 >/dev/null');
	assert.match(greedy.stderr, /memory exhausted/);
	const busy = await inCageOf(layers, 'while :; do :; done').catch(String);
	assert.match(typeof busy === 'string' ? busy : busy.stderr, /SIGKILL|sigprocmask/);
	assert.equal(await readFile(at('a.raw'), 'utf8'), 'the disk');
});

test('the tools run as the owner of the image and without capabilities', async t => {
	const { directory, at } = await place(t);
	const name = `${basename(directory)}.qcow2`;
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', at(name), '1M']);
	const owner = isRoot ? 65_534 : process.geteuid?.();
	assert.ok(owner !== undefined);
	if (isRoot) await chown(at(name), owner, owner);
	await chmod(at(name), 0o600);
	const source = await openSource(at(name), { signal: never });
	t.after(() => source.close());
	const status = await statusOf('qemu-nbd', name);
	assert.match(status, new RegExp(`^Uid:(\\t${owner}){4}$`, 'm'));
	for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) assert.match(status, new RegExp(`^Cap${set}:\\t0+$`, 'm'));
	assert.match(status, /^NoNewPrivs:\t1$/m);
});

test('the bytes of a raw image do not come through QEMU, which is asked for those that cannot be had', async t => {
	const { directory, at } = await place(t);
	const name = `${basename(directory)}.raw`;
	const content = Buffer.alloc(70_000, 'the disk');
	await writeFile(at(name), content);
	const source = await openSource(at(name), { signal: never });
	t.after(() => source.close());
	const pid = Number(/^Pid:\t(\d+)$/m.exec(await statusOf('qemu-nbd', name))?.[1]);
	process.kill(pid, 'SIGSTOP');
	const found = Buffer.alloc(60_000);
	await source.read(10_000, found, never);
	assert.ok(found.equals(content.subarray(10_000)));
	await truncate(at(name), 20_000);
	const beyond = source.read(10_000, found, never); // waits for QEMU, which is stopped
	process.kill(pid, 'SIGKILL');
	const ended = {
		code: 'source_invalid',
		message: /cannot be read at offset 10000 of its disk: the tool that reads it ended/,
	};
	await assert.rejects(beyond, ended);
	// Nor are those read that could be: QEMU's lock is gone.
	const readOn = async () => {
		await source.read(10_000, found.subarray(0, 5_000), never);
		return false;
	};
	await assert.rejects(waitFor('a read to be refused', readOn, { timeoutMs: 20_000 }), ended);
});

test('where no namespaces can be made an image is refused with what to do', async t => {
	const { at } = await place(t);
	await writeFile(at('a.raw'), 'the disk');
	const source = new URL('../../sources/open-source.ts', import.meta.url).href;
	const script = `const { openSource } = await import(${JSON.stringify(source)});
		const signal = new AbortController().signal;
		await openSource(process.argv[1], { signal }).catch(error => console.log(error.code, error.message, error.hint));`;
	const powerless = ['setpriv', '--inh-caps=-all', '--bounding-set=-all', process.execPath, '--input-type=module'];
	const { stdout } = await run('unshare', ['-r', ...powerless, '-e', script, at('a.raw')]);
	assert.match(
		stdout,
		/^precheck_failed images cannot be read safely on this host: unshare: .*not permitted .*CAP_SYS_ADMIN/,
	);
});

/** The port of a server on this host's loopback. */
async function listening(t: TestContext): Promise<number> {
	const server = createServer(socket => socket.destroy()).listen(0, '127.0.0.1');
	t.after(() => server.close());
	await once(server, 'listening');
	const address = server.address();
	assert.ok(address !== null && typeof address === 'object');
	return address.port;
}

/** What /proc tells of the process of this program that has `word` among its arguments. */
async function statusOf(program: string, word: string): Promise<string> {
	for (const pid of await readdir('/proc')) {
		const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
		if (commandLine.startsWith(`${program}\0`) && commandLine.includes(word))
			return await readFile(`/proc/${pid}/status`, 'utf8');
	}
	throw new Error(`no ${program} with ${word}`);
}
