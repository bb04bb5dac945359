import { RouseError } from '../../../model/errors.ts';
import type { StatedSpec } from '../../../model/machine.ts';
import { mostCheckpointCharacters } from '../../../model/source-facts.ts';
import { limits } from '../../../repository/format/limits.ts';
import { checked } from '../checked.ts';
import { checkConfigured, unknownOf } from '../config.ts';
import {
	mostWarnings,
	type SourceMachine,
	type SourcePlan,
	sourceMachineSchema,
	sourcePlanSchema,
} from '../documents.ts';
import { type ImportOrder, importOrderSchema, sourceFacts } from '../order.ts';
import { ownerOf } from '../owner.ts';
import { type ChosenBase, chooseBase } from './choose-base.ts';
import { otherOrigin } from './other-origin.ts';
import type { StepPlaces } from './places.ts';
import { pointTime } from './point-time.ts';

export interface OrderWish {
	/** Random, of this import alone: it becomes the tag of what is made on the platform. */
	importId: string;
	/** The machine's name in the repository. */
	machine: string;
	/** What a person says of the machine. */
	spec: StatedSpec;
	now: Date;
}

/**
 * The first step: what would be imported, from what base and how. It changes nothing anywhere, so it may be done for the plan
 * alone. What the manifest would refuse in the end is refused here. Throws what the source throws, and `source_invalid`,
 * `spec_invalid`.
 */
export async function makeOrder({ source, repository, signal }: StepPlaces, wish: OrderWish): Promise<ImportOrder> {
	const { importId, machine, spec, now } = wish;
	const described = checked(sourceMachineSchema, await source.describe(signal), 'the description of the machine');
	checkConfigured({ machine, spec, described });
	const chosen = await chooseBase(repository, machine, described, signal);
	const since = typeof chosen === 'string' ? null : chosen.since;
	const told = checked(sourcePlanSchema, await source.plan(described, since, signal), 'the plan');
	const warning = await otherOrigin(repository, machine, described, signal);
	const warnings = [...told.warnings, ...(warning === undefined ? [] : [warning])].slice(-mostWarnings);
	const plan = { ...withBase(told, described, chosen), warnings };
	const base = typeof chosen === 'string' ? null : baseOf(plan, chosen);
	const order = importOrderSchema.parse({
		tag: importId,
		owner: ownerOf(repository.id, machine, described.identity),
		identity: described.identity,
		described,
		plan,
		since: base === null ? null : since,
		machine,
		time: await pointTime(repository, machine, now, signal),
		spec,
		base,
	});
	mustFit(order);
	return order;
}

/** Whatever the source can tell, a disk that the base does not have is read whole. */
function withBase(plan: SourcePlan, { disks }: SourceMachine, chosen: ChosenBase | string): SourcePlan {
	if (plan.disks.length !== disks.length || plan.disks.some(({ key }, number) => key !== disks[number]?.key))
		throw new RouseError('source_invalid', `the plan tells of other disks than the machine has`);
	return {
		...plan,
		disks: plan.disks.map((disk, number) => {
			const why = typeof chosen === 'string' ? chosen : chosen.why[number];
			if (why === null || why === undefined) return disk;
			// What a source expects of changes says nothing of all; of all it knows more than the size, as what an archive takes.
			const expected = disk.reads === 'all' ? disk.expectedBytes : undefined;
			return { ...disk, reads: 'all', why, expectedBytes: expected ?? disks[number]?.sizeBytes };
		}),
	};
}

/** Nothing is pinned for disks that are read whole anyway. */
function baseOf({ disks }: SourcePlan, { base }: ChosenBase): ImportOrder['base'] {
	const numbers = base.disks.map((number, disk) => (disks[disk]?.reads === 'changes' ? number : null));
	return numbers.every(number => number === null) ? null : { ...base, disks: numbers };
}

/** Refused before a moment is begun, and not when all of it is read. */
function mustFit(order: ImportOrder): void {
	const { described, time } = order;
	const longest = described.disks.map(() => ({ reads: 'changes' as const, why: '?'.repeat(200) }));
	const disks = described.disks.map(({ key, sizeBytes }) => ({ key, sizeBytes, consistency: 'file-system' as const }));
	const moment = { together: false, takenAt: time, checkpoint: null, disks };
	const facts = sourceFacts({ described, unknown: unknownOf(order) }, moment, longest);
	const characters = JSON.stringify({ source: facts }).length + mostCheckpointCharacters;
	if (characters > limits.factsBytes)
		throw new RouseError(
			'source_invalid',
			`what there is to note of this machine takes ${characters} characters, and a restore point has room for ${limits.factsBytes}`,
			{ hint: 'give its disks shorter names' },
		);
}
