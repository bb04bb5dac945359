import type { DrillFile } from '../../model/drill-file.ts';
import { type DrillPlan, drillLimits, type DrillTest, ownAddress } from '../../model/drill.ts';
import { RouseError } from '../../model/errors.ts';
import type { RecoveryRequest } from '../../model/recovery.ts';
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
	for (const { request, tests: ofMachine } of items) mustAskItself(request, ofMachine);
	const tests = Object.fromEntries(items.map(({ request, tests: ofMachine }) => [request.name, ofMachine]));
	const untested = items.filter(({ request, tests: ofMachine }) => ofMachine.length === 0 && !request.readiness);
	if (untested.length > 0)
		warnings.push(
			`${untested.map(({ request }) => request.machine).join(', ')}: neither a readiness check nor a test, so that being powered on is all that is tried`,
		);
	return { plan: { batch: plan, tests, withinMs: Math.max(60_000, within), keep }, items, warnings };
}

/**
 * Its network leads nowhere, so whoever answers at an address that is not forwarded to it is another machine, the original as
 * a rule: it would pass for it. Throws `spec_invalid`.
 */
function mustAskItself({ machine, forwards, readiness }: RecoveryRequest, tests: readonly DrillTest[]): void {
	for (const check of [...(readiness ? [readiness.check] : []), ...tests.map(test => test.check)]) {
		if (check.by !== 'ping' && check.by !== 'tcp') continue;
		if (check.by === 'tcp' && ownAddress(check, forwards) !== undefined) continue;
		const asked = check.by === 'tcp' ? `tcp ${check.address}:${check.port}` : `ping ${check.address}`;
		throw new RouseError('spec_invalid', `${machine}: ${asked} would reach another machine, not the one of the drill`, {
			hint: 'ask a port that is forwarded to it, by the address that it is forwarded from; or its agent or serial console',
			details: { machine },
		});
	}
}
