import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { capability, hasCapability } from '../../system/capabilities.ts';
import { isOpen } from '../../system/found-taps.ts';

const run = promisify(execFile);

test('`hasCapability` is true of root, and false in a container that took that away', () => {
	const status = (effective: string) => `Name:\tnode\nCapPrm:\t000001ffffffffff\nCapEff:\t${effective}\n`;
	for (const number of Object.values(capability)) {
		assert.equal(hasCapability(status('000001ffffffffff'), number), true);
		assert.equal(hasCapability(status('00000000a80425fb'), number), false); // Docker's default
		assert.equal(hasCapability(status('0000000000000000'), number), false);
	}
	assert.equal(hasCapability(status('0000000000001000'), capability.netAdmin), true);
});

if (hasCapability(await readFile('/proc/self/status', 'utf8'), capability.sysPtrace))
	test('`isOpen` takes every macvtap for open where root may not look into the processes of others', async () => {
		assert.equal(await isOpen('lo', 'macvtap'), false);
		const module = join(import.meta.dirname, '..', '..', 'system', 'found-taps.ts');
		const look = `const { isOpen } = await import(${JSON.stringify(module)}); console.log(await isOpen('lo', 'macvtap'))`;
		const less = ['--bounding-set', '-sys_ptrace', '--inh-caps', '-sys_ptrace'];
		const { stdout } = await run('setpriv', [...less, process.execPath, '--eval', look]);
		assert.equal(stdout.trim(), 'true');
	});
