import type { HostDependencies } from '../../host-attempt.ts';

/** Why the agent in the guest does not answer; undefined when it does. The supervisor alone has the way to it. */
export async function askAgent(
	supervisor: HostDependencies['supervisor'],
	name: string,
	signal: AbortSignal,
): Promise<string | undefined> {
	const { answers, reason } = await supervisor.agent(name, { signal });
	return answers ? undefined : (reason ?? 'the agent does not answer');
}
