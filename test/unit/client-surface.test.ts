import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const client = fileURLToPath(new URL('../../client/', import.meta.url));

test('no file of client/ names a command of the command line or writes to a terminal', async () => {
	const found: string[] = [];
	for await (const file of glob('**/*.ts', { cwd: client })) {
		const lines = (await readFile(`${client}${file}`, 'utf8')).split('\n');
		for (const [n, line] of lines.entries())
			if (/\brouse [a-z]|'--[a-z]|\bconsole\.|\bprocess\.std/.test(line))
				found.push(`${file}:${n + 1}: ${line.trim()}`);
	}
	assert.deepEqual(found, []);
});
