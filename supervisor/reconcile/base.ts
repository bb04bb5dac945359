import type { Machine } from '../../hypervisors/contract.ts';
import { asRouseError } from '../../model/errors.ts';
import type { Clock } from '../../system/clock.ts';
import type { IncidentLog } from '../files/incident-log.ts';
import { moversWanted, type RecoveryState } from '../files/state.ts';
import type { Seen } from '../recovery/recovery.ts';

/** Between two attempts, and after what was started: what dies at once is not started all the time. */
const againAfterMs = 5_000;

/** What this needs of a `StepContext`. */
interface Kept {
	recovery: {
		readonly state: RecoveryState;
		readonly seen: Pick<Seen, 'machine' | 'mount' | 'moverErrors' | 'baseFailure'> & { notBefore: { base: number } };
		readonly incidents: Pick<IncidentLog, 'add'>;
		readonly equipment: { machine: Pick<Machine, 'keepBase' | 'resume' | 'observe'> };
	};
	host: { clock: Pick<Clock, 'now'> };
	signal: AbortSignal;
}

/**
 * What stands between the mount mover and the machine is there, as long as the chain needs it: after the mark that says
 * otherwise the switch takes it away. False while it is not known to be; throws, at every look until it is there, when it
 * cannot be had.
 */
export async function keepBase(context: Kept): Promise<boolean> {
	const { recovery, host, signal } = context;
	const { seen } = recovery;
	const { machine } = recovery.equipment;
	if (machine.keepBase === undefined || !moversWanted(recovery.state).mount) return true;
	if (host.clock.now() < seen.notBefore.base) {
		if (seen.baseFailure) throw seen.baseFailure;
		return false;
	}
	// The mover first: it is what the rest is made of.
	if (seen.mount === undefined) return false;
	let isAnew: boolean;
	try {
		isAnew = await machine.keepBase({ signal });
	} catch (error) {
		signal.throwIfAborted();
		seen.notBefore.base = host.clock.now() + againAfterMs;
		throw (seen.baseFailure = asRouseError(error));
	}
	seen.baseFailure = undefined;
	if (isAnew) await goOnAnew(context);
	return !isAnew;
}

/** Errors that the guest met before were of what had died. */
async function goOnAnew({ recovery: { seen, equipment, incidents }, host, signal }: Kept): Promise<void> {
	seen.notBefore.base = host.clock.now() + againAfterMs;
	seen.moverErrors = [];
	try {
		await equipment.machine.resume({ signal });
		seen.machine = await equipment.machine.observe({ signal });
	} finally {
		// Afterwards: where no line can be written any more a guest is to have its disks all the same.
		await incidents.add(
			'mover_died',
			"what serves the mount mover's disks to the machine had died and was started again",
		);
	}
}
