/** Writes docs/batch.schema.json and docs/drill.schema.json, by which editors complete and check such files: `node tools/write-batch-schema.ts`. */
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { batchFileSchema } from '../model/batch-file.ts';
import { drillFileSchema } from '../model/drill-file.ts';
import { drillReportSchema } from '../model/drill-report.ts';
import { replaceFileDurably } from '../system/durable-file.ts';

const docs = (name: string) => fileURLToPath(new URL(`../docs/${name}.schema.json`, import.meta.url));

/** By where they are. */
export function makeSchemas(): Record<string, object> {
	return {
		[docs('batch')]: { title: 'A batch of Rouse', ...z.toJSONSchema(batchFileSchema, { io: 'input' }) },
		[docs('drill')]: { title: 'A drill of Rouse', ...z.toJSONSchema(drillFileSchema, { io: 'input' }) },
		[docs('drill-report')]: { title: 'The report of a drill of Rouse', ...z.toJSONSchema(drillReportSchema) },
	};
}

if (import.meta.main)
	for (const [path, schema] of Object.entries(makeSchemas()))
		await replaceFileDurably(path, `${JSON.stringify(schema, undefined, '\t')}\n`, 0o644);
