import { RouseError } from '../../model/errors.ts';
import type { Scratch } from './scratch.ts';

/** It writes out all that its guest has not written yet, or waits for Windows' services. Programs of the guest stand still as long. */
export const freezeMs = 30_000;
/** An agent does one thing after the other: behind a freeze that takes too long, this has to wait for its end. */
export const thawMs = 120_000;

/** What has the file systems of a guest stand still. */
export interface GuestAgent {
	/** Whether it may be told so. */
	answers(signal?: AbortSignal): Promise<boolean>;
	/** How many are still now, as far as it says. */
	freeze(): Promise<number>;
	/** How many were still; undefined when it does not say that they are no more. */
	thaw(): Promise<number | undefined>;
}

/**
 * Has something done while the file systems of the guest are still, if its agent answers and can. They are never left so: also when
 * it fails they are woken, and who dies in between has noted it before. `isStill`: some were told to be, and were until they were woken;
 * a guest may wake by itself (Windows does after ten seconds).
 */
export async function whileStill<T>(
	agent: GuestAgent | undefined,
	scratch: Scratch,
	work: () => Promise<T>,
): Promise<{ result: T; isStill: boolean }> {
	if (agent === undefined || !(await agent.answers())) return { result: await work(), isStill: false };
	await scratch.noteStill();
	let [frozen, woken] = [0, 0];
	let result: T;
	try {
		frozen = await agent.freeze();
		result = await work();
	} finally {
		woken = await wake(agent, scratch);
	}
	return { result, isStill: frozen > 0 && woken > 0 };
}

/** Of an import that may have died while it had the guest stand still. */
export async function wakeIfStill(agent: GuestAgent | undefined, scratch: Scratch): Promise<void> {
	if (await scratch.mayBeStill()) await wake(agent, scratch);
}

/** How many file systems were still. */
async function wake(agent: GuestAgent | undefined, scratch: Scratch): Promise<number> {
	const woken = await agent?.thaw();
	if (woken === undefined)
		throw new RouseError(
			'not_ready',
			"the guest's agent was asked to let its file systems write again, and does not say so",
			{
				hint: 'look whether programs in the guest hang; virsh domfsthaw, or fsfreeze --unfreeze in it, wakes them',
			},
		);
	await scratch.forgetStill();
	return woken;
}
