import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { makeBatchSchema, schemaPath } from '../../tools/write-batch-schema.ts';

test('docs/batch.schema.json is made of the schema by which batch files are read', async () => {
	const written: unknown = JSON.parse(await readFile(schemaPath, 'utf8'));
	// By way of JSON: what is undefined is not written.
	assert.deepEqual(written, JSON.parse(JSON.stringify(makeBatchSchema())), 'node tools/write-batch-schema.ts');
});
