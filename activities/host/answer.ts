import { type HostDependencies, hostAttempt } from '../host-attempt.ts';

/** That the worker of this host is there: the supervisor is not asked, and nothing is changed. */
export const answer = (host: HostDependencies) => hostAttempt(host, async (): Promise<void> => undefined);
