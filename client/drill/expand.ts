import type { DrillFile } from '../../model/drill-file.ts';
import { type DrillPlan, drillLimits } from '../../model/drill.ts';
import { RouseError } from '../../model/errors.ts';
import { type BatchSurroundings, expandBatch, type WantedItem } from '../batch/expand.ts';

export interface DrillExpansion {
	plan: DrillPlan;
	items: WantedItem[];
	/** What a person should know, of the file as a whole. */
	warnings: string[];
}

/** What a drill's file comes to, as {@link expandBatch} has it. `latest` is what is latest now: what was drilled before is gone. */
export async function expandDrill(
	{ within, keep, ...file }: DrillFile,
	surroundings: Omit<BatchSurroundings, 'drill' | 'existing' | 'networks'>,
): Promise<DrillExpansion> {
	const drill = { name: file.name };
	const more = { drill, existing: () => undefined, networks: {} };
	const { plan, items, warnings } = await expandBatch({ ...file, onFailure: 'continue' }, { ...surroundings, ...more });
	if (items.length > drillLimits.machines)
		throw new RouseError('spec_invalid', `${items.length} machines: a drill takes ${drillLimits.machines}`, {
			hint: 'make several drills of it',
			details: { machines: items.length, limit: drillLimits.machines },
		});
	const tests = Object.fromEntries(items.map(({ request, tests: ofMachine }) => [request.name, ofMachine]));
	const untested = items.filter(({ request, tests: ofMachine }) => ofMachine.length === 0 && !request.readiness);
	if (untested.length > 0)
		warnings.push(
			`${untested.map(({ request }) => request.machine).join(', ')}: neither a readiness check nor a test, so that being powered on is all that is tried`,
		);
	return { plan: { batch: plan, tests, withinMs: Math.max(60_000, within), keep }, items, warnings };
}
