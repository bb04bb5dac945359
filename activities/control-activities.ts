import type { createBrokerActivities } from './broker-activities.ts';
import type { ControlDependencies } from './control/dependencies.ts';
import { pin } from './control/pin.ts';
import { plan } from './control/plan.ts';
import { unpin } from './control/unpin.ts';

/** What a control worker does: it reads repositories, writes pins and what hosts may read, and reaches no host. */
export function createControlActivities(control: ControlDependencies) {
	return { plan: plan(control), pin: pin(control), unpin: unpin(control) };
}

/** Of a control worker, all of them. */
export type ControlActivities = ReturnType<typeof createControlActivities> & ReturnType<typeof createBrokerActivities>;
