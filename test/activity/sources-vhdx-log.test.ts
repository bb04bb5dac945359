import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { openSource } from '../../sources/open-source.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const run = promisify(execFile);
const { signal } = new AbortController();
const mebibyte = 2 ** 20;
/** Where QEMU puts the block allocation table of a small VHDX. */
const tableAtBytes = 2 * mebibyte;

/** As a machine leaves it that was killed after the log was written and before the table was: the table cannot be written. */
async function notClosed(t: TestContext): Promise<string> {
	const path = join(await temporaryDirectory(t), 'disk.vhdx');
	await run('qemu-img', ['create', '-q', '-f', 'vhdx', path, '64M']);
	const failing = `file.inject-error.0.event=none,file.inject-error.0.iotype=write,file.inject-error.0.sector=${tableAtBytes / 512}`;
	const node = `driver=vhdx,file.driver=blkdebug,file.image.driver=file,file.image.filename=${path},${failing}`;
	await assert.rejects(run('qemu-io', ['-c', 'write -P 3 0 1M', '--image-opts', node]));
	return path;
}

const refused = { code: 'source_invalid', message: /disk\.vhdx was not closed: .* still in its log$/ };

test('a VHDX with a log is refused, and is whole once its log was replayed as the hint says', async t => {
	const path = await notClosed(t);
	await assert.rejects(openSource(path, { signal }), (error: { hint?: string }) => {
		assert.match(error.hint ?? '', /of a disk without checkpoints, .*: qemu-img check -r all -f vhdx FILE$/);
		return true;
	});
	await assert.rejects(openSource(path, { signal }), refused);
	await assert.rejects(openSource(path, { partial: true, signal }), { message: refused.message });
	await run('qemu-img', ['check', '-r', 'all', '-f', 'vhdx', path]);
	const source = await openSource(path, { signal });
	t.after(() => source.close());
	const found = Buffer.alloc(mebibyte);
	await source.read(0, found, signal);
	assert.ok(found.every(byte => byte === 3));
});

test('a VHDX with a log is told as that, and not as cut short, when the table that the log mends was torn', async t => {
	const path = await notClosed(t);
	const file = await open(path, 'r+');
	await file.write(Buffer.from('060000ff00000000', 'hex'), 0, 8, tableAtBytes); // a block far behind the end
	await file.close();
	await assert.rejects(openSource(path, { signal }), refused);
});
