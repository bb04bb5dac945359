import type { MachineParts, SwitchCall } from './parts.ts';
import { within } from './within.ts';

/** A place where somebody may want this host to fail. One that hangs is given up with `hypervisor_stuck`. */
export async function reachFault(
	{ settings, definition }: MachineParts,
	place: string,
	signal?: AbortSignal,
): Promise<void> {
	const fault = settings.faults.reach(place, definition);
	if (fault === undefined) return;
	const what = `${place} of ${definition.machineName}`;
	await within(settings.clock, { what, ms: settings.stuckMs, signal }, () => fault);
}

/** A place of the switch. */
export async function reached({ parts, calls }: SwitchCall, place: string): Promise<void> {
	await reachFault(parts, place);
	await calls.reached(place);
}
