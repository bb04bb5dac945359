import type { WorkflowExecutionStatusName } from '@temporalio/client';
import type { Parked, Phase, Policy } from '../../model/recovery.ts';
import { endedByForce } from '../recovery-rules.ts';

interface Known {
	name: string;
	phase: Phase;
	workflow: WorkflowExecutionStatusName;
	parked: Parked | null;
	policy: Policy | null;
}

/** What a person can do now, as a sentence with the command in it. */
export function nextStep(known: Known): string {
	if (endedByForce(known.workflow)) return 'its workflow is gone, its machine may still run: rouse host list';
	return known.parked?.next ?? next[known.phase](known);
}

const watch = ({ name }: Known) => `rouse recover watch ${name}`;
const discard = ({ name }: Known) => `rouse recover discard ${name} --confirm ${name}`;

const next: Readonly<Record<Phase, (known: Known) => string>> = {
	planned: watch,
	waiting: watch,
	starting: watch,
	running: known =>
		known.policy?.finish === 'migrate'
			? `it migrates by itself: ${watch(known)}`
			: `keep it: rouse recover migrate ${known.name}; throw it away: ${discard(known)}`,
	migrating: known => `${watch(known)}; throw it away: ${discard(known)}`,
	migrated: known =>
		known.policy?.switch === 'auto'
			? `it switches by itself: ${watch(known)}`
			: `rouse recover switch ${known.name}; throw it away: ${discard(known)}`,
	switching: watch,
	finished: ({ name }) => `the machine is yours: rouse host list; rouse host stop ${name}`,
	discarding: watch,
	discarded: ({ name }) => `use the name again: rouse recover start MACHINE@POINT --name ${name} --again`,
	failed: () => 'the name is free: mend the cause, then start it again',
};
