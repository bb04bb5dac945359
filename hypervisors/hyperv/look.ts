/** How the machine is, as the host says at this moment. */
import { asRouseError, RouseError } from '../../model/errors.ts';
import { waitFor } from '../../system/wait.ts';
import type { CallOptions } from '../contract.ts';
import type { AnswerOf } from './driver/requests.ts';
import type { MachineParts } from './parts.ts';
import { type Stage, stageOf } from './states.ts';

/** Saving and resuming go at the speed of the host's disk. */
const settlesMs = 15 * 60_000;

export type Found = NonNullable<AnswerOf<'observe'>> & { stage: Stage };

/** Undefined when there is none. */
export async function look({ settings, definition }: MachineParts, options: CallOptions): Promise<Found | undefined> {
	const { recoveryId } = definition;
	const found = await settings.driver.ask('observe', { recoveryId }, { ...options, timeoutMs: settings.lookMs });
	return found === null ? undefined : { ...found, stage: stageOf(found.state) };
}

/** As {@link look}, of a machine that must be there. */
export async function lookAt(parts: MachineParts, options: CallOptions): Promise<Found> {
	const found = await look(parts, options);
	if (found) return found;
	const { machineName, recoveryId } = parts.definition;
	throw new RouseError(
		'machine_failed',
		`${machineName} is not on its host: somebody has removed it there, or the line "rouse-recovery: ${recoveryId}" from its notes`,
		{
			// Nothing makes it anew: what it was made with may not be what its owner wants by now.
			hint: `put that line back into the notes of a machine that is there, and try again; of one that is gone copy overlays and targets out of ${parts.paths.windows.directory}, where its guest's writes are wanted`,
			details: { next: 'discard' },
		},
	);
}

/** The same, when it is not on its way any more. */
export async function lookSettled(parts: MachineParts, options: CallOptions): Promise<Found> {
	const settled = async () => {
		const found = await lookAt(parts, options);
		return found.stage !== 'moving' && found;
	};
	try {
		return await waitFor('the machine to settle', settled, { timeoutMs: settlesMs, everyMs: 250, ...options });
	} catch (cause) {
		options.signal?.throwIfAborted();
		if (asRouseError(cause).code !== 'timeout') throw cause;
		throw new RouseError('hypervisor_stuck', `${parts.definition.machineName} does not come to rest`, { cause });
	}
}
