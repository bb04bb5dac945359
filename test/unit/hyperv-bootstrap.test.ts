import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { describe, it } from 'node:test';
import {
	bootstrapCommand,
	bootstrapText,
	commandLengthLimit,
	constantScript,
	driverParts,
	loadConsoleScript,
	loadDriverScript,
} from '../../hypervisors/hyperv/driver/bootstrap.ts';

describe('`bootstrapCommand`', () => {
	for (const [what, load] of [
		['driver', loadDriverScript],
		['console', loadConsoleScript],
	] as const)
		it(`of the ${what} is short enough for cmd.exe, and nothing in it means anything to a shell`, async () => {
			const command = bootstrapCommand(await load());
			assert.ok(command.length < commandLengthLimit / 2, `${command.length} characters`);
			assert.match(command, /^powershell\.exe( -[A-Za-z]+( Text)?)+ [A-Za-z0-9+/]+={0,2}$/);
		});

	it('encodes the bootstrap as UTF-16LE in base64', () => {
		const script = constantScript('exit 0\n');
		const encoded = bootstrapCommand(script).split(' ').at(-1) ?? '';
		assert.equal(Buffer.from(encoded, 'base64').toString('utf16le'), bootstrapText(script));
	});

	it('promises the length and the digest of that script', () => {
		const text = bootstrapText(constantScript('exit 0\n'));
		assert.match(text, /char\[\] 7\n/);
		assert.ok(text.includes(`-ne '${createHash('sha256').update('exit 0\n').digest('hex').toUpperCase()}'`));
	});

	it('leaves stdin to the script: `$input` stands in no text', async () => {
		for (const script of [await loadDriverScript(), await loadConsoleScript()])
			assert.doesNotMatch(bootstrapText(script) + script.text, /\$input\b/i);
	});
});

describe('`constantScript`', () => {
	it('takes ASCII with LF alone', () => {
		assert.throws(() => constantScript('Write-Output \u00fc'), RangeError);
		assert.throws(() => constantScript('exit 0\r\n'), RangeError);
	});
});

describe('`driverParts`', () => {
	it('are all scripts of the driver, the first and the last in their places', async () => {
		const there = await readdir(new URL('../../hypervisors/hyperv/driver/powershell/', import.meta.url));
		assert.deepEqual([...driverParts, 'console.ps1'].toSorted(), there.toSorted());
		assert.equal(driverParts[0], 'prologue.ps1');
		assert.equal(driverParts.at(-1), 'loop.ps1');
	});
});
