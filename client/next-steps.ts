import type { Next } from '../model/next.ts';
import { type Parked, type Phase, type Policy, type Power, terminalPhases } from '../model/recovery.ts';
import { endedByForce } from './phases.ts';
import type { RecoverySummary } from './summaries.ts';

/** What a person can do about a recovery, as data: whoever shows it makes sentences or buttons of it. */
export type NextStep =
	/** Look on: it goes on by itself. `comes`: the order that is carried out without being given. */
	| { step: 'watch'; comes?: 'migrate' | 'switch' }
	| ({ step: 'order' } & Next)
	/** What it waits for has to come back; then it goes on by itself. */
	| { step: 'source' }
	/** The machine is its host's now, and `power` is what that sees of it. */
	| { step: 'host'; power: Power | null }
	/** Its workflow was ended by force or has given its host up: that host may still have it, and another workflow take it up. */
	| { step: 'adopt' }
	/** The name may be used again, in a request that says so when there was a machine that was discarded, abandoned or removed. */
	| { step: 'start'; again: boolean };

interface Known {
	phase: Phase;
	workflow: RecoverySummary['workflow'];
	parked: Parked | null;
	/** What it waits for at present. */
	stalled: object | null;
	power: Power | null;
	policy: Policy | null;
	/** The machine of a finished one was removed from its host. */
	removed: boolean;
	/** Why it failed. */
	failure: { code: string } | null;
}

/** In the order in which they are to be offered; there is always one. */
export function nextSteps(known: Known): NextStep[] {
	if (endedByForce(known.workflow)) return [{ step: 'adopt' }];
	if (known.parked) return [{ step: 'order', ...known.parked.next }];
	// Nothing else: who looks for a way out in the night must not be offered to throw away what is safe.
	if (known.stalled && !terminalPhases.includes(known.phase)) return [{ step: 'source' }];
	const steps = inPhase[known.phase](known);
	return known.power === 'off' && powered.includes(known.phase) ? [powerOn, ...steps] : steps;
}

/** Where the machine's power is its recovery's to say. */
const powered: readonly Phase[] = ['running', 'migrating', 'migrated'];
const powerOn: NextStep = { step: 'order', order: 'power-on' };
const watch: NextStep = { step: 'watch' };
const discard: NextStep = { step: 'order', order: 'discard' };

const inPhase: Readonly<Record<Phase, (known: Known) => NextStep[]>> = {
	planned: () => [watch],
	waiting: () => [watch],
	starting: () => [watch],
	running: ({ policy }) =>
		policy?.finish === 'migrate' ? [{ ...watch, comes: 'migrate' }] : [{ step: 'order', order: 'migrate' }, discard],
	migrating: () => [watch, discard],
	migrated: ({ policy }) =>
		policy?.switch === 'auto' ? [{ ...watch, comes: 'switch' }] : [{ step: 'order', order: 'switch' }, discard],
	switching: () => [watch],
	finished: ({ removed, power }) => [removed ? { step: 'start', again: true } : { step: 'host', power }],
	discarding: () => [watch],
	abandoning: () => [watch],
	abandoned: () => [{ step: 'start', again: true }, { step: 'adopt' }],
	discarded: () => [{ step: 'start', again: true }],
	failed: ({ failure }) =>
		failure?.code === 'place_unknown'
			? [{ step: 'adopt' }, { step: 'start', again: true }]
			: [{ step: 'start', again: false }],
};
