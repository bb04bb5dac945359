/** https://qemu-project.gitlab.io/qemu/interop/qemu-ga-ref.html: guest-fsfreeze-freeze, guest-fsfreeze-thaw. */
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { agentAnswers, askAgent } from '../../qmp/agent.ts';
import type { Scratch } from './scratch.ts';

/** It writes out all that its guest has not written yet, or waits for Windows' services. Programs of the guest stand still as long. */
const freezeMs = 30_000;
/** An agent does one thing after the other: behind a freeze that takes too long, this has to wait for its end. */
const thawMs = 120_000;
const mostBytes = 4096;

const countSchema = z.object({ return: z.int().min(0) });

/**
 * Has something done while the file systems of the guest are still, if its agent answers and can. They are never left so: also when
 * it fails they are woken, and who dies in between has noted it before. `isStill`: some were told to be, and were until they were woken;
 * a guest may wake by itself (Windows does after ten seconds).
 */
export async function whileStill<T>(
	agent: string | undefined,
	scratch: Scratch,
	work: () => Promise<T>,
): Promise<{ result: T; isStill: boolean }> {
	if (agent === undefined || !(await agentAnswers(agent, { foreign: true })))
		return { result: await work(), isStill: false };
	await scratch.noteStill();
	let [frozen, woken] = [0, 0];
	let result: T;
	try {
		frozen = (await order(agent, 'guest-fsfreeze-freeze', freezeMs)) ?? 0;
		result = await work();
	} finally {
		woken = await wake(agent, scratch);
	}
	return { result, isStill: frozen > 0 && woken > 0 };
}

/** Of an import that may have died while it had the guest stand still. */
export async function wakeIfStill(agent: string | undefined, scratch: Scratch): Promise<void> {
	if (await scratch.mayBeStill()) await wake(agent, scratch);
}

/** How many file systems were still. */
async function wake(agent: string | undefined, scratch: Scratch): Promise<number> {
	const woken = agent === undefined ? undefined : await order(agent, 'guest-fsfreeze-thaw', thawMs);
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

/** Of how many file systems the agent says that it is done; undefined when it does not. */
async function order(agent: string, execute: string, withinMs: number): Promise<number | undefined> {
	const answer = await askAgent(agent, { execute, arguments: {} }, { withinMs, mostBytes, foreign: true });
	return countSchema.safeParse(answer).data?.return;
}
