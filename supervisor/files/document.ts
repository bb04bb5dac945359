import { readFile } from 'node:fs/promises';
import type * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { isErrno, replaceFileDurably } from '../../system/durable-file.ts';

/** A durable JSON file as what `schema` describes; undefined when there is none, `format_damaged` when it is another. */
export async function readDocument<S extends z.ZodType>(path: string, schema: S): Promise<z.output<S> | undefined> {
	let text: string;
	try {
		text = await readFile(path, 'utf8');
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
	try {
		return schema.parse(JSON.parse(text));
	} catch (cause) {
		throw new RouseError('format_damaged', `${path} is not what this version of Rouse writes`, {
			cause,
			hint: 'nothing was changed; use the version that wrote it, or restore the file',
		});
	}
}

/** Whole or not at all, and durable when it returns. */
export async function writeDocument<S extends z.ZodType>(path: string, schema: S, value: z.input<S>): Promise<void> {
	await replaceFileDurably(path, `${JSON.stringify(schema.parse(value), undefined, '\t')}\n`, 0o600);
}
