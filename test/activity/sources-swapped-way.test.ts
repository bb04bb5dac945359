import assert from 'node:assert/strict';
import { lchown, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { openFile } from '../../sources/opened-file.ts';
import { type Captive, captive, temporaryDirectory } from '../equipment/captive.ts';

/** Exchanges a directory and a link to another one, as fast as it can: their owner may do so. */
const swap = `
const { renameSync } = require('fs');
const [, d, l, away] = process.argv;
for (;;) { renameSync(d, away); renameSync(l, d); renameSync(d, l); renameSync(away, d); }`;

const skip = process.getuid?.() === 0 ? false : 'who is not root has no files that others could want';

suite('`openFile`', () => {
	test('never opens what a stranger lays on the way while it is opened', { skip }, async t => {
		let swapping: Captive | undefined;
		const directory = await temporaryDirectory(t, async () => swapping?.end('SIGKILL'));
		const place = (...names: string[]) => join(directory, ...names);
		for (const name of ['d', 'secret']) await mkdir(place(name));
		await writeFile(place('d', 'disk.raw'), 'their own');
		await writeFile(place('secret', 'disk.raw'), 'secret');
		await symlink(place('secret'), place('l'));
		await lchown(place('l'), 65_534, 65_534);
		swapping = captive(t, process.execPath, ['-e', swap, place('d'), place('l'), place('away')]);
		const seen = new Map<string, number>();
		const often = () => ['source_invalid', 'their own'].every(outcome => (seen.get(outcome) ?? 0) >= 500);
		for (const until = performance.now() + 60_000; !often() && performance.now() < until; ) {
			const outcome = await openFile(place('d', 'disk.raw'), { follow: true }).then(
				async ({ handle }) => {
					const text = await handle.readFile('utf8');
					await handle.close();
					return text;
				},
				(error: Error & { code?: string }) => `${error.code}`,
			);
			seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
		}
		assert.deepEqual([...seen.keys()].toSorted(), ['source_invalid', 'their own'], JSON.stringify([...seen]));
		assert.ok(often(), JSON.stringify([...seen]));
	});

	test('follows links of ours, in their directories and from the root, and refuses a circle', async t => {
		const directory = await temporaryDirectory(t);
		const place = (...names: string[]) => join(directory, ...names);
		await mkdir(place('a'));
		await writeFile(place('a', 'disk'), 'x');
		await symlink('../a/./disk', place('a', 'relative'));
		await symlink(place('a'), place('absolute'));
		await symlink('round', place('round'));
		for (const name of ['a/relative', 'absolute/disk', 'absolute/relative', 'a/../absolute/relative']) {
			const { handle, path } = await openFile(place(name), { follow: true });
			assert.equal(await readFile(`/proc/self/fd/${handle.fd}`, 'utf8'), 'x', path);
			await handle.close();
		}
		await assert.rejects(openFile(place('round'), { follow: true }), { code: 'source_invalid', message: /circle/ });
		await assert.rejects(openFile(place('a', 'relative'), { follow: false }), { code: 'source_invalid' });
		await assert.rejects(openFile(place('a', 'disk', 'x'), { follow: true }), { code: 'source_invalid' });
	});
});
