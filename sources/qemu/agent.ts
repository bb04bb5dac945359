/** https://qemu-project.gitlab.io/qemu/interop/qemu-ga-ref.html: guest-fsfreeze-freeze, guest-fsfreeze-thaw. */
import * as z from 'zod';
import { agentAnswers, askAgent } from '../../qmp/agent.ts';
import { freezeMs, type GuestAgent, thawMs } from './still.ts';

const mostBytes = 4096;

const countSchema = z.object({ return: z.int().min(0) });

/** The agent at a socket of QEMU's. */
export function agentAt(path: string): GuestAgent {
	const order = async (execute: string, withinMs: number) => {
		const answer = await askAgent(path, { execute, arguments: {} }, { withinMs, mostBytes, foreign: true });
		return countSchema.safeParse(answer).data?.return;
	};
	return {
		answers: async signal => agentAnswers(path, { signal, foreign: true }),
		freeze: async () => (await order('guest-fsfreeze-freeze', freezeMs)) ?? 0,
		thaw: async () => order('guest-fsfreeze-thaw', thawMs),
	};
}
