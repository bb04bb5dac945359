import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Document, parseDocument } from 'yaml';
import { RouseError } from '../model/errors.ts';
import { createFileDurably, replaceFileDurably } from './durable-file.ts';
import { readIfThere } from './if-there.ts';
import { configSchema, makeHome } from './installation.ts';
import { parseYaml } from './parse-yaml.ts';

/** Writes something into `config.yaml`, which is else as it was, comments included; makes the file when there is none. */
export async function changeConfig({ home }: { home: string }, edit: (document: Document) => void): Promise<void> {
	await makeHome(home);
	const path = join(home, 'config.yaml');
	const before = await readIfThere(path);
	const document = parseDocument(before ?? '');
	edit(document);
	const text = String(document);
	parseYaml(text, path, configSchema, 'config_invalid'); // what is not accepted would stop every service
	if (before === undefined) {
		if (await createFileDurably(path, text)) return;
		throw new RouseError('name_conflict', `somebody else has just made ${path}`, { hint: 'say it again' });
	}
	// Behind a link, where it really lies: a rename would put a file in the link's place.
	const real = await realpath(path);
	await replaceFileDurably(real, text, (await stat(real)).mode & 0o777);
}
