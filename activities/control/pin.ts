import { attempt } from '../attempt.ts';
import type { ControlDependencies } from './dependencies.ts';

export interface PinInput {
	repository: string;
	machine: string;
	restorePoint: string;
	manifestDigest: string;
	recoveryId: string;
	/** Name of the recovery. */
	recovery: string;
}

/** The restore point stays while the pin stands: it ends by release, never by time. */
export const pin =
	({ repositories }: ControlDependencies) =>
	({ repository, recovery, ...what }: PinInput): Promise<void> =>
		attempt(({ signal }) => repositories.pin(repository, { ...what, reason: `recovery ${recovery}` }, signal));
