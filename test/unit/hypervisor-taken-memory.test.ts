import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takenOf } from '../../hypervisors/qemu/taken-memory.ts';

const status = `Name:	qemu-system-x86
VmRSS:	 1310720 kB
RssAnon:	 1048576 kB
RssFile:	  131072 kB
RssShmem:	  131072 kB
VmSwap:	  262144 kB
`;

test('`takenOf` a process is its anonymous and shared memory: neither files that it maps nor what is swapped out', () => {
	assert.equal(takenOf(status), 1024 + 128);
});

test('`takenOf` a process that has given its memory back, and only ends, is nothing', () => {
	assert.equal(takenOf('Name:	qemu-system-x86\nState:	Z (zombie)\n'), 0);
});
