import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sizeWarnings } from '../../model/machine-size.ts';

test('`sizeWarnings` tells of memory that is not free, and of CPUs that the host does not have', () => {
	const host = { freeMiB: 512, cpus: 2 };
	assert.deepEqual(sizeWarnings({ memoryMiB: 512, cpus: 2 }, host), []);
	assert.match(
		sizeWarnings({ memoryMiB: 600, cpus: 1 }, host).join(),
		/has 512 MiB of memory free; the machine takes 600 MiB$/,
	);
	assert.match(sizeWarnings({ memoryMiB: 1, cpus: 3 }, host).join(), /^the host has 2 CPUs, the machine 3/);
});
