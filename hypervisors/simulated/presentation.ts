import { mkdir, readFile, rm } from 'node:fs/promises';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { isErrno, replaceFileDurably } from '../../system/durable-file.ts';
import type { MachineParts } from './parts.ts';

/** That the base is presented for the next start. In the run directory: a boot of the host undoes it. */
const presentationSchema = z.strictObject({ recoveryId: z.uuid() });

export async function presentBase({ definition, paths }: MachineParts): Promise<void> {
	await mkdir(definition.runDirectory, { recursive: true, mode: 0o700 });
	const presentation: z.infer<typeof presentationSchema> = { recoveryId: definition.recoveryId };
	await replaceFileDurably(paths.presented, `${JSON.stringify(presentation)}\n`);
}

/** Throws `phase_wrong` when it is not. It lasts for one start: a caller must not rely on an earlier one's. */
export async function usePresentation({ definition, paths }: MachineParts): Promise<void> {
	let text: string;
	try {
		text = await readFile(paths.presented, 'utf8');
	} catch (cause) {
		if (!isErrno(cause, 'ENOENT')) throw cause;
		const what = `the base of ${definition.machineName} is not presented`;
		throw new RouseError('phase_wrong', what, { cause });
	}
	const { recoveryId } = presentationSchema.parse(JSON.parse(text));
	if (recoveryId !== definition.recoveryId)
		throw new RouseError('identity_conflict', `${paths.presented} is of recovery ${recoveryId}`);
	await rm(paths.presented, { force: true });
}
