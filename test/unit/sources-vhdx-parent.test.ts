import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
	appendFile,
	chmod,
	chown,
	lchown,
	mkdir,
	readFile,
	rename,
	symlink,
	truncate,
	writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openImage } from '../../sources/image.ts';
import type { ImageTrust } from '../../sources/image-layers.ts';
import { parentPlaces } from '../../sources/vhdx-parent.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { Random } from '../equipment/seeds/random.ts';
import { bothHeaders, changed } from '../equipment/vhdx-changes.ts';
import { type LayerMeasures, type Locator, VhdxLayer } from '../equipment/vhdx-layer.ts';

const mebibyte = 2 ** 20;
const signal = new AbortController().signal;
const isRoot = process.geteuid?.() === 0;
const measures: LayerMeasures = { sizeBytes: 3 * mebibyte, blockBytes: mebibyte, sectorBytes: 512 };
/** Of these QEMU is not asked. */
const coarse: LayerMeasures = { ...measures, sectorBytes: 4096 };
const random = new Random(1);

/** Each is made upon the one before, whose name its locator has; what is told of one comes first. */
interface Told {
	name: string;
	locator?: Locator;
	measures?: LayerMeasures;
}

async function saved(t: TestContext, ...told: Told[]): Promise<(name: string) => string> {
	const directory = await temporaryDirectory(t);
	let below: { name: string; guid: string } | undefined;
	for (const { name, locator, measures: own = measures } of told) {
		const upon = below && { parent_linkage: `{${below.guid}}`, relative_path: `.\\${below.name}`, ...locator };
		const layer = new VhdxLayer(random, own, upon ?? locator);
		await layer.save(join(directory, name));
		below = { name, guid: layer.dataWriteGuid };
	}
	return name => join(directory, name);
}

async function openedOnce(path: string, trust: ImageTrust = { withBacking: true }): Promise<void> {
	await (await openImage(path, { signal, ...trust })).close();
}

describe('the parent of a VHDX is looked for', () => {
	const places: [string, Parameters<typeof parentPlaces>[0], string[]][] = [
		['beside it', { linkage: '', relativePath: '.\\base.vhdx' }, ['base.vhdx']],
		['below it, then beside it', { linkage: '', relativePath: 'a b\\.\\ä.vhdx' }, ['a b/ä.vhdx', 'ä.vhdx']],
		['with either separator', { linkage: '', relativePath: './sub/base.vhdx' }, ['sub/base.vhdx', 'base.vhdx']],
		['not out of its directory', { linkage: '', relativePath: '..\\..\\etc\\shadow' }, ['shadow']],
		['not by a way that leads out of it', { linkage: '', relativePath: 'a\\..\\..\\b.vhdx' }, ['b.vhdx']],
		['not from the root', { linkage: '', relativePath: '\\etc\\shadow' }, ['shadow']],
		['not on a drive', { linkage: '', relativePath: 'C:\\etc\\a.vhdx' }, ['a.vhdx']],
		['nowhere by a drive alone', { linkage: '', relativePath: 'C:a.vhdx', absolutePath: 'D:' }, []],
		['nowhere by directories', { linkage: '', relativePath: '..', volumePath: '\\', absolutePath: 'C:\\..' }, []],
		['nowhere by a stream or control characters', { linkage: '', relativePath: 'a:b', volumePath: 'a\nb' }, []],
		[
			'by each of its paths',
			{
				linkage: '',
				relativePath: '..\\one.vhdx',
				volumePath: '\\\\?\\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\\m\\two.vhdx',
				absolutePath: '\\\\server\\share\\three.vhdx',
			},
			['one.vhdx', 'two.vhdx', 'three.vhdx'],
		],
	];
	for (const [where, locator, found] of places) it(where, () => assert.deepEqual(parentPlaces(locator), found));

	it('where its relative path leads first', async t => {
		const at = await saved(t, { name: 'base.vhdx' }, { name: 'a.avhdx', locator: { relative_path: 'sub\\base.vhdx' } });
		await mkdir(at('sub'));
		const told: string[] = [];
		const trust = { withBacking: true, onReference: (text: string) => told.push(text) };
		await openedOnce(at('a.avhdx'), trust);
		await writeFile(at('sub/base.vhdx'), 'another disk');
		await assert.rejects(openedOnce(at('a.avhdx'), trust), { message: /sub\/base\.vhdx is no vhdx image/ });
		assert.deepEqual(told, [
			`beneath ${at('a.avhdx')}, vhdx is read from ${at('base.vhdx')}`,
			`beneath ${at('a.avhdx')}, vhdx is read from ${at('sub/base.vhdx')}`,
		]);
	});
});

it('the parent of a VHDX may be called by other cases, as Windows takes them, when it is one file', async t => {
	const at = await saved(t, { name: 'Base.vhdx' }, { name: 'a.avhdx', locator: { relative_path: '.\\BASE.vhdx' } });
	await openedOnce(at('a.avhdx'));
	await writeFile(at('base.VHDX'), '');
	await assert.rejects(openedOnce(at('a.avhdx')), { message: /there is no .*\/BASE\.vhdx/ });
});

describe('a differencing VHDX is refused', () => {
	const isRefused = async (path: string, message: RegExp, trust?: ImageTrust) =>
		await assert.rejects(openedOnce(path, trust), { code: 'source_invalid', message });
	const two = (t: TestContext, more: Partial<Told> = {}) =>
		saved(t, { name: 'base.vhdx' }, { name: 'a.avhdx', ...more });

	it('without the word that it may lie on another file, and that is not looked at', async t => {
		const at = await two(t);
		await isRefused(at('a.avhdx'), /only a part: the rest is in "base\.vhdx"/, {});
		await isRefused(at('a.avhdx'), /only a part: the rest is in "base\.vhdx"/, { format: 'vhdx' });
		await rename(at('base.vhdx'), at('c.vhdx'));
		await isRefused(at('a.avhdx'), /only a part: the rest is in "base\.vhdx"/, {});
	});

	it('when its parent is not there, with all places', async t => {
		const at = await saved(t, {
			name: 'a.avhdx',
			locator: {
				parent_linkage: `{${'1'.repeat(8)}-1111-1111-1111-${'1'.repeat(12)}}`,
				relative_path: 'b\\c.vhdx',
				absolute_win32_path: 'D:\\d.vhdx',
			},
		});
		await isRefused(
			at('a.avhdx'),
			/no .*\/b\/c\.vhdx, and no .*\/c\.vhdx, and no .*\/d\.vhdx, and .*a\.avhdx lies on it/,
		);
	});

	it('when its parent was called as it is itself, in another directory', async t => {
		const at = await two(t, { locator: { relative_path: '..\\base\\a.avhdx' } });
		await isRefused(at('a.avhdx'), /a\.avhdx lies on another file of the same name/);
		const other = await two(t, { locator: { relative_path: '..\\base\\A.avhdx' } });
		await isRefused(other('a.avhdx'), /there is no .*A\.avhdx/);
	});

	it('when no path of it names a file', async t => {
		const at = await two(t, { locator: { relative_path: '..' } });
		await isRefused(at('a.avhdx'), /a\.avhdx: .*no path of its parent names a file/);
	});

	it('when its parent was written since, is another disk, or has other sectors', async t => {
		const at = await two(t);
		const other = new VhdxLayer(random, measures);
		await other.save(at('base.vhdx'));
		await isRefused(
			at('a.avhdx'),
			/base\.vhdx is not what .*a\.avhdx was made upon: its DataWriteGuid is .*; it was written since/,
		);
		const mixed = await two(t, { measures: coarse });
		await isRefused(mixed('a.avhdx'), /sectors have 4096 bytes, and those of its parent .* 512/);
	});

	it('when its parent is no VHDX, was not closed, or is cut', async t => {
		const at = await two(t);
		const base = await readFile(at('base.vhdx'));
		await writeFile(at('base.vhdx'), Buffer.alloc(mebibyte));
		await isRefused(at('a.avhdx'), /base\.vhdx is no vhdx image/);
		await writeFile(
			at('base.vhdx'),
			changed(
				base,
				bothHeaders(header => void header.fill(7, 48, 64)),
			),
		);
		await isRefused(at('a.avhdx'), /base\.vhdx was not closed/);
		await writeFile(at('base.vhdx'), base);
		await truncate(at('base.vhdx'), mebibyte);
		await isRefused(at('a.avhdx'), /base\.vhdx is cut short/);
	});

	it('when a link of somebody else is in the place of its parent, or its owner may not read that', async t => {
		const at = await two(t);
		await rename(at('base.vhdx'), at('whole.vhdx'));
		await symlink('whole.vhdx', at('base.vhdx'));
		await openedOnce(at('a.avhdx'));
		if (!isRoot) return; // nobody else can give a file to another user
		await lchown(at('base.vhdx'), 65_534, 65_534);
		await isRefused(at('a.avhdx'), /base\.vhdx is a symbolic link of user 65534/);
		await rename(at('whole.vhdx'), at('base.vhdx'));
		await chmod(at('base.vhdx'), 0o600);
		await chown(at('a.avhdx'), 65_534, 65_534);
		await isRefused(at('a.avhdx'), /base\.vhdx may not be read by user 65534, who owns .*a\.avhdx/);
		await chmod(at('base.vhdx'), 0o604);
		await openedOnce(at('a.avhdx'));
	});

	it('when it lies on itself, be it by another, or on too many', async t => {
		const directory = await temporaryDirectory(t);
		const locators: Record<string, string>[] = [{ relative_path: 'b.avhdx' }, { relative_path: 'a.avhdx' }];
		const layers = locators.map(locator => new VhdxLayer(random, measures, locator));
		for (const [index, name] of ['a.avhdx', 'b.avhdx'].entries()) {
			const locator = locators[index] ?? {};
			locator['parent_linkage'] = `{${layers[1 - index]?.dataWriteGuid}}`;
			await layers[index]?.save(join(directory, name));
		}
		await isRefused(join(directory, 'a.avhdx'), /a\.avhdx lies beneath itself/);
		const at = await saved(t, ...Array.from({ length: 65 }, (_, index) => ({ name: `${index}.vhdx` })));
		await openedOnce(at('63.vhdx'));
		await isRefused(at('64.vhdx'), /the top of more than 64 images/);
	});

	it('when a file of it was written while it was read', async t => {
		for (const name of ['base.vhdx', 'a.avhdx']) {
			const at = await two(t);
			const disk = await openImage(at('a.avhdx'), { signal, withBacking: true });
			t.after(() => disk.close());
			await disk.checkUnchanged?.();
			await appendFile(at(name), Buffer.alloc(1));
			await assert.rejects(async () => await disk.checkUnchanged?.(), {
				code: 'source_invalid',
				message: new RegExp(`${name} changed while it was read`),
			});
		}
	});
});

describe('a VHDX that Hyper-V left as it was at a checkpoint', () => {
	const doubtsOf = async (path: string) => {
		const doubts: string[] = [];
		await openedOnce(path, { withBacking: true, onDoubt: doubt => doubts.push(doubt) });
		return doubts.join();
	};

	it('is told, with what goes on from it; the last of a chain is not', async t => {
		const at = await saved(
			t,
			{ name: 'd.vhdx', measures: coarse },
			{ name: 'd_1.avhdx', measures: coarse },
			{ name: 'd_2.AVHDX', measures: coarse },
		);
		await new VhdxLayer(random, coarse).save(at('d_3.avhdx'));
		assert.match(await doubtsOf(at('d.vhdx')), /d\.vhdx is as it was at a checkpoint: .* is in d_1\.avhdx beside it/);
		assert.match(await doubtsOf(at('d_1.avhdx')), /d_1\.avhdx is as it was .* is in d_2\.AVHDX beside it/);
		assert.equal(await doubtsOf(at('d_2.AVHDX')), '');
	});

	it('is refused by itself when that is being merged into it, and not beneath it', async t => {
		const base = new VhdxLayer(random, coarse);
		const locator = {
			parent_linkage: `{${'1'.repeat(8)}-1111-1111-1111-${'1'.repeat(12)}}`,
			parent_linkage2: `{${base.dataWriteGuid}}`,
			relative_path: 'd.vhdx',
		};
		const directory = await temporaryDirectory(t);
		await base.save(join(directory, 'd.vhdx'));
		await new VhdxLayer(random, coarse, locator).save(join(directory, 'd_1.avhdx'));
		await assert.rejects(doubtsOf(join(directory, 'd.vhdx')), {
			code: 'source_invalid',
			message: /d\.vhdx is no disk by itself: the merge of .*d_1\.avhdx into it was begun/,
		});
		assert.equal(await doubtsOf(join(directory, 'd_1.avhdx')), '');
	});

	it('is told by a name alone where that cannot be read', async t => {
		const at = await saved(t, { name: 'd.vhdx', measures: coarse });
		await writeFile(at('d_1.avhdx'), 'cut');
		await writeFile(at('e_1.avhdx'), 'cut');
		await symlink('d.vhdx', at('e_2.avhdx'));
		assert.match(await doubtsOf(at('d.vhdx')), /may be as it was at .* may be in d_1\.avhdx beside it/);
	});

	it('is told, be it one of a chain, by the name of the first', async t => {
		const named = (digit: number) => `d_${`${digit}`.repeat(8)}-1111-aaaa-AAAA-${'b'.repeat(12)}.avhdx`;
		const at = await saved(
			t,
			{ name: 'd.vhdx', measures: coarse },
			{ name: named(2), measures: coarse },
			{ name: named(1), measures: coarse },
		);
		await truncate(at(named(1)), 5);
		assert.match(await doubtsOf(at(named(2))), new RegExp(`may be in ${named(1)} beside it`));
		// Disks of other machines.
		for (let index = 0; index < 64; index++) await symlink('gone', at(`c_${index}.avhdx`));
		assert.match(await doubtsOf(at('d.vhdx')), new RegExp(`is in ${named(2)} beside it.*may be in ${named(1)} beside`));
	});

	it('is told by a name alone where somebody has that open alone, who is named when it is wanted', async t => {
		const at = await saved(t, { name: 'd.vhdx', measures: coarse }, { name: 'd_1.avhdx', measures: coarse });
		await heldAlone(t, at('d_1.avhdx'));
		assert.match(await doubtsOf(at('d.vhdx')), /may be in d_1\.avhdx beside it/);
		await assert.rejects(openedOnce(at('d_1.avhdx')), { code: 'lock_held', message: /d_1\.avhdx is open elsewhere/ });
	});
});

/** As a server of files holds it for a client: who opens it without waiting is refused. */
async function heldAlone(t: TestContext, path: string): Promise<void> {
	const program = `
import fcntl, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = open(sys.argv[1], 'r+b')
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
sys.stdin.read()`;
	const holder = spawn('python3', ['-c', program, path], { stdio: ['pipe', 'pipe', 'inherit'] });
	t.after(() => holder.stdin.end());
	await once(holder.stdout, 'data');
}
