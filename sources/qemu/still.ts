/** https://qemu-project.gitlab.io/qemu/interop/qemu-ga-ref.html: guest-fsfreeze-freeze, guest-fsfreeze-thaw. */
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { agentAnswers, askAgent } from '../../qmp/agent.ts';
import type { Scratch } from './scratch.ts';

/** It writes out all that its guest has not written yet. Programs of the guest stand still as long. */
const freezeMs = 10_000;
const thawMs = 10_000;
const mostBytes = 4096;

const countSchema = z.object({ return: z.int().min(0) });

/**
 * Has something done while the file systems of the guest are still, if its agent answers and can. They are never left so: also when
 * it fails they are woken, and who dies in between has noted it before.
 */
export async function whileStill<T>(
	agent: string | undefined,
	scratch: Scratch,
	work: () => Promise<T>,
): Promise<{ result: T; isStill: boolean }> {
	if (agent === undefined || !(await agentAnswers(agent, { foreign: true })))
		return { result: await work(), isStill: false };
	await scratch.noteStill();
	let isStill = false;
	try {
		isStill = await order(agent, 'guest-fsfreeze-freeze', freezeMs);
		return { result: await work(), isStill };
	} finally {
		await wake(agent, scratch);
	}
}

/** Of an import that may have died while it had the guest stand still. */
export async function wakeIfStill(agent: string | undefined, scratch: Scratch): Promise<void> {
	if (await scratch.mayBeStill()) await wake(agent, scratch);
}

async function wake(agent: string | undefined, scratch: Scratch): Promise<void> {
	if (agent === undefined || !(await order(agent, 'guest-fsfreeze-thaw', thawMs)))
		throw new RouseError(
			'not_ready',
			"the guest's agent was asked to let its file systems write again, and does not say so",
			{
				hint: 'look whether programs in the guest hang; virsh domfsthaw, or fsfreeze --unfreeze in it, wakes them',
			},
		);
	await scratch.forgetStill();
}

async function order(agent: string, execute: string, withinMs: number): Promise<boolean> {
	const answer = await askAgent(agent, { execute, arguments: {} }, { withinMs, mostBytes, foreign: true });
	return countSchema.safeParse(answer).success;
}
