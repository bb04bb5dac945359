import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { isErrno, replaceFileDurably } from '../../system/durable-file.ts';
import { mkdir } from 'node:fs/promises';
import type { MachineParts } from './parts.ts';

/** That the base is presented to the guest's disks. In the run directory: a boot of the host undoes it. */
const presentationSchema = z.strictObject({ recoveryId: z.uuid() });

export async function presentBase({ definition, paths }: MachineParts): Promise<void> {
	await mkdir(definition.runDirectory, { recursive: true, mode: 0o700 });
	const { recoveryId } = definition;
	await replaceFileDurably(
		paths.presented,
		`${JSON.stringify({ recoveryId } satisfies z.infer<typeof presentationSchema>)}\n`,
	);
}

/** Throws `phase_wrong` when it is not. */
export async function expectPresented({ definition, paths }: MachineParts): Promise<void> {
	let text: string;
	try {
		text = await readFile(paths.presented, 'utf8');
	} catch (cause) {
		if (!isErrno(cause, 'ENOENT')) throw cause;
		throw new RouseError(
			'phase_wrong',
			`the base of ${definition.machineName} is not presented on this boot of the host`,
			{
				cause,
			},
		);
	}
	const { recoveryId } = presentationSchema.parse(JSON.parse(text));
	if (recoveryId !== definition.recoveryId)
		throw new RouseError('identity_conflict', `${paths.presented} is of recovery ${recoveryId}`);
}
