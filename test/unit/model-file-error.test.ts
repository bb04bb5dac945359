import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { asRouseError, fileError, RouseError } from '../../model/errors.ts';
import { isSpaceShort, ofMedium, replaceFileDurably } from '../../system/durable-file.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const errno = (code: string, more = {}) => Object.assign(new Error(`${code}: says so`), { code, ...more });

test('`asRouseError` of a full file system or quota is `space_short`, with what to do', () => {
	for (const code of ['ENOSPC', 'EDQUOT']) {
		const error = asRouseError(errno(code, { syscall: 'write' }));
		assert.deepEqual([error.code, error.hint], ['space_short', 'make room on that file system']);
		assert.match(asRouseError(errno(code, { path: '/a/b' })).hint ?? '', /make room on the file system of \/a\/b/);
	}
});

test('`asRouseError` of what else happens to a file is `io_failed`', async t => {
	const directory = await temporaryDirectory(t);
	const thrown = await readdir(join(directory, 'none')).catch((error: unknown) => error);
	assert.equal(asRouseError(thrown).code, 'io_failed');
	assert.equal(asRouseError(errno('EIO', { syscall: 'fsync' })).code, 'io_failed');
});

test('`asRouseError` of a socket, of a program that is not there, and of a defect is `internal`', async () => {
	const [refused] = await once(connect('/nowhere.sock'), 'error');
	const [missing] = await once(spawn('/nowhere/program'), 'error');
	for (const thrown of [refused, missing, new TypeError('x')]) assert.equal(asRouseError(thrown).code, 'internal');
});

test('`asRouseError` of a file that is open, or too large for its file system, is `io_failed`, of one that is not a defect', () => {
	assert.equal(asRouseError(errno('EACCES', { syscall: 'fchmod' })).code, 'io_failed');
	assert.match(asRouseError(errno('EFBIG', { syscall: 'ftruncate' })).hint ?? '', /XFS/);
	assert.equal(asRouseError(errno('EBADF', { syscall: 'fsync' })).code, 'internal');
});

test('`fileError` names the path that Node does not know once the file is open', () => {
	assert.match(fileError(errno('ENOSPC'), '/a/b')?.message ?? '', /^\/a\/b: ENOSPC/);
});

test('`fileError` of what a person can mend is a sentence, without the name of an errno', () => {
	const of = (code: string) => fileError(errno(code, { syscall: 'mkdir', path: '/srv/backups' }));
	assert.equal(of('ENOENT')?.message, 'there is no /srv/backups');
	assert.equal(of('EACCES')?.message, '/srv/backups may not be used by this user');
	for (const code of ['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'EPERM', 'ENAMETOOLONG']) {
		assert.equal(of(code)?.code, 'io_failed');
		assert.doesNotMatch(`${of(code)?.message} ${of(code)?.hint}`, /E[A-Z]{3,}|disk under/);
	}
});

test('`ofMedium` leaves what tells who is there as it came, and what is ours', () => {
	const [taken, ours] = [errno('EEXIST'), new RouseError('host_busy', 'full of recoveries')];
	assert.equal(ofMedium(taken, '/a'), taken);
	assert.equal(ofMedium(ours, '/a'), ours);
	assert.ok(isSpaceShort(ofMedium(errno('ENOSPC'), '/a')));
});

test('`replaceFileDurably` in place of a directory leaves nothing behind', async t => {
	const directory = await temporaryDirectory(t);
	await mkdir(join(directory, 'taken'));
	const thrown = await replaceFileDurably(join(directory, 'taken'), 'x').catch((error: unknown) => error);
	assert.equal(asRouseError(thrown).code, 'io_failed');
	assert.deepEqual(await readdir(directory), ['taken']);
});
