import { asRouseError } from '../../model/errors.ts';
import { waitFor } from '../../system/wait.ts';
import { freezeMs, type GuestAgent, thawMs } from '../qemu/still.ts';
import type { Domain } from './domain.ts';
import { isRefusal, type Virsh } from './virsh.ts';

/** libvirt itself waits for 5 s. */
const answerMs = 10_000;

/** The guest's agent, whose channel libvirt has. */
export function agentOf(virsh: Virsh, { uuid, hasAgent }: Pick<Domain, 'uuid' | 'hasAgent'>): GuestAgent {
	/** Undefined when nobody in the guest does it. */
	const told = async (command: string, wholeMs: number, signal?: AbortSignal) => {
		try {
			return await virsh(command, ['--domain', uuid], { wholeMs, ...(signal && { signal }) });
		} catch (error) {
			if (isRefusal(error) || asRouseError(error).code === 'timeout') return undefined;
			throw error;
		}
	};
	/** `Froze 2 filesystem(s)`, `Thawed 2 filesystem(s)` */
	const count = (said: string | undefined) => (said === undefined ? undefined : Number(/\d+/.exec(said)?.[0] ?? 0));
	/**
	 * libvirt lets one wait for another for 30 s. A freeze may take longer: until it has ended there is nothing to thaw, and nobody else would wake the
	 * guest then.
	 */
	const thawed = async (): Promise<string | undefined> => {
		try {
			const answer = await waitFor(
				"libvirt to be done with what the guest's agent was told before",
				async () => {
					try {
						return { said: await told('domfsthaw', thawMs) };
					} catch (error) {
						if (asRouseError(error).code !== 'source_busy') throw error;
						return undefined;
					}
				},
				{ timeoutMs: thawMs, everyMs: 200 },
			);
			return answer.said;
		} catch (error) {
			if (asRouseError(error).code !== 'timeout') throw error;
			return undefined;
		}
	};
	return {
		answers: async signal => hasAgent && (await told('domfsinfo', answerMs, signal)) !== undefined,
		freeze: async () => count(await told('domfsfreeze', freezeMs)) ?? 0,
		thaw: async () => count(await thawed()),
	};
}
