import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { plainUri } from '../../sources/machine/plain-uri.ts';

test('`plainUri` keeps what names a source', () => {
	for (const uri of [
		'ec2://eu-west-1/i-0123456789abcdef0',
		'ssh://backup@web01.example:2222/dev/sda',
		'qemu+qmp:///run/web01.sock',
		'libvirt://web01',
		'ssh://web01/disks/a@b',
		'ssh://backup@web01:22/disks/a@b',
		'/dev/sda',
	])
		assert.equal(plainUri(uri), uri);
});

test('`plainUri` leaves out passwords, queries and fragments', () => {
	assert.equal(plainUri('ssh://root:secret@web01/dev/sda'), 'ssh://root@web01/dev/sda');
	assert.equal(plainUri('ssh://:secret@web01/'), 'ssh://web01/');
	assert.equal(plainUri('gs://bucket/a.tar.gz?X-Goog-Signature=secret#secret'), 'gs://bucket/a.tar.gz');
	assert.equal(plainUri('ssh://root:se@cret@web01/'), 'ssh://root@web01/');
	assert.equal(plainUri('ssh://root:se/cret@web01/'), 'ssh://');
	assert.equal(plainUri('ssh://root:s@e#cret@web01/'), 'ssh://');
	assert.equal(plainUri('ssh://root:12?34@web01/'), 'ssh://');
});

test('`plainUri` never has anything of the password', () => {
	const password = fc.string({ minLength: 1 }).map(text => `4${text}Q`);
	fc.assert(
		fc.property(password, text => {
			const plain = plainUri(`ssh://root:${text}@web01/dev/sda`);
			assert.ok(['ssh://root@web01/dev/sda', 'ssh://'].includes(plain), plain);
		}),
		{ numRuns: 1000 },
	);
});
