/** Writes docs/batch.schema.json, by which editors complete and check batch files: `node tools/write-batch-schema.ts`. */
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { batchFileSchema } from '../model/batch-file.ts';
import { replaceFileDurably } from '../system/durable-file.ts';

export const schemaPath = fileURLToPath(new URL('../docs/batch.schema.json', import.meta.url));

export function makeBatchSchema(): object {
	return { title: 'A batch of Rouse', ...z.toJSONSchema(batchFileSchema, { io: 'input' }) };
}

if (import.meta.main)
	await replaceFileDurably(schemaPath, `${JSON.stringify(makeBatchSchema(), undefined, '\t')}\n`, 0o644);
