import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { test } from 'node:test';
import { makeSchemas } from '../../tools/write-batch-schema.ts';

for (const [path, schema] of Object.entries(makeSchemas()))
	test(`docs/${basename(path)} is made of the schema by which such files are read`, async () => {
		const written: unknown = JSON.parse(await readFile(path, 'utf8'));
		// By way of JSON: what is undefined is not written.
		assert.deepEqual(written, JSON.parse(JSON.stringify(schema)), 'node tools/write-batch-schema.ts');
	});
