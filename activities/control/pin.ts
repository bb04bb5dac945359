import { pinPoint } from '../../repository/pins.ts';
import { attempt } from '../attempt.ts';
import { type ControlDependencies, withRepository } from '../repository-access.ts';

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
	(control: ControlDependencies) =>
	({ repository: directory, recovery, ...what }: PinInput): Promise<void> =>
		attempt(({ signal }) =>
			withRepository(control, directory, repository =>
				pinPoint(repository, { ...what, reason: `recovery ${recovery}` }, { signal }),
			),
		);
