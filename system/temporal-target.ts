import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { isErrno, replaceFileDurably } from './durable-file.ts';
import { type Config, type Installation, places } from './installation.ts';

/** Where Temporal is. The embedded server's is written by whoever starts that server, once its port is known. */
const temporalTargetSchema = z.strictObject({ address: z.string().min(1), namespace: z.string().min(1) });
export type TemporalTarget = z.infer<typeof temporalTargetSchema>;

const targetPath = (home: string) => join(places.temporal(home), 'address.json');

/** The configured server, else the embedded one; `temporal_unreachable` when none was ever started here. */
export async function readTemporalTarget(
	installation: Pick<Installation, 'home'>,
	config: Pick<Config, 'temporal'>,
): Promise<TemporalTarget> {
	if (config.temporal) return config.temporal;
	try {
		return temporalTargetSchema.parse(JSON.parse(await readFile(targetPath(installation.home), 'utf8')));
	} catch (error) {
		if (isErrno(error, 'ENOENT'))
			throw new RouseError('temporal_unreachable', `no Temporal server was started for ${installation.home}`);
		throw error;
	}
}

export async function publishTemporalTarget(
	installation: Pick<Installation, 'home'>,
	target: TemporalTarget,
): Promise<void> {
	await mkdir(places.temporal(installation.home), { recursive: true });
	await replaceFileDurably(targetPath(installation.home), `${JSON.stringify(target)}\n`);
}
