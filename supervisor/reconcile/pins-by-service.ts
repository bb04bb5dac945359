import type { HostCall } from '../../movers/repository-mover/host-client.ts';
import type { RepositoryAccess } from '../../repository/access/calls.ts';
import { type Granting, unpinGranted } from '../../repository/service/unpin-granted.ts';
import type { FindElsewhere } from '../../system/configured-repositories.ts';
import type { RepositoryElsewhere } from '../../system/repository-elsewhere.ts';

type Ask = (service: RepositoryElsewhere, call: HostCall) => Promise<void>;

/** As those of movers/repository-mover/host-client.ts. */
export interface PinService {
	findElsewhere: FindElsewhere;
	askPin: Ask;
	askUnpin: Ask;
	/** Of this machine's own repositories. */
	grants: Granting['grants'];
}

/**
 * Pins in repositories of other machines, by their services, and in all others as `here`. A service pins what the recovery
 * was granted there, whatever is said here, and knows nothing of points and of the pins of others.
 */
export function pinsByService(
	here: RepositoryAccess,
	{ findElsewhere, askPin, askUnpin, grants }: PinService,
): RepositoryAccess {
	return {
		...here,
		pin: async (repository, pin, signal) => {
			const service = await findElsewhere(repository);
			if (service === undefined) return here.pin(repository, pin, signal);
			await askPin(service, { recoveryId: pin.recoveryId, signal });
		},
		unpin: async (repository, recoveryId, signal) => {
			const service = await findElsewhere(repository);
			if (service === undefined) return unpinGranted({ grants, access: here }, repository, recoveryId, signal);
			await askUnpin(service, { recoveryId, signal });
		},
	};
}
