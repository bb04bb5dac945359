import { checkHost } from '../../activities/control/check-host.ts';
import { planRecovery } from '../../activities/control/plan-recovery.ts';
import { hardwareRequest } from '../../activities/hardware-request.ts';
import type { AskableHost } from '../../client/host-elsewhere.ts';
import { hostsOf } from '../../client/batch/conflicts.ts';
import type { WantedItem } from '../../client/batch/expand.ts';
import type { PoolHost } from '../../client/requests.ts';
import { asRouseError, type ErrorDocument } from '../../model/errors.ts';
import type { RecoveryPlan } from '../../model/recovery.ts';

/** The plan of one machine, and what a person should know before they say yes. */
export interface ItemPlan {
	item: WantedItem;
	plan: RecoveryPlan | null;
	warnings: string[];
	/** Why it would not start, on any host that answered. */
	problem: ErrorDocument | null;
}

/** A platform may have to find out first what its host can do. */
const planTimeoutMs = 45_000;

/**
 * The planning that each recovery does as its first step, and a look at its hosts; it changes nothing. What a platform
 * chooses is asked of `own` alone: another host is a question by way of Temporal for each machine.
 */
export async function planItems(
	items: readonly WantedItem[],
	hosts: ReadonlyMap<string, PoolHost>,
	{ own, signal }: { own: OwnHost; signal: AbortSignal },
): Promise<ItemPlan[]> {
	const plans: ItemPlan[] = [];
	for (const item of items) {
		signal.throwIfAborted();
		const chosen = hostsOf(item.request).flatMap(name => hosts.get(name) ?? []);
		plans.push(await planItem(item, chosen, { own, signal }));
	}
	return plans;
}

interface OwnHost {
	name: string;
	host: { hardware: AskableHost['hardware'] };
}

async function planItem(
	item: WantedItem,
	hosts: readonly PoolHost[],
	{ own, signal }: { own: OwnHost; signal: AbortSignal },
): Promise<ItemPlan> {
	let plan: RecoveryPlan;
	try {
		plan = await planRecovery(item.request, { signal });
	} catch (error) {
		return { item, plan: null, warnings: [], problem: asRouseError(error).toDocument() };
	}
	const warnings = new Set(plan.warnings);
	const problems: ErrorDocument[] = [];
	for (const { place, view } of hosts) {
		try {
			if (!view) continue;
			for (const warning of checkHost(plan, place.hostId, view)) warnings.add(warning);
			if (place.host !== own.name) continue;
			const chosen = await own.host.hardware(hardwareRequest(plan), { signal, timeoutMs: planTimeoutMs });
			for (const warning of chosen.warnings) warnings.add(warning);
		} catch (error) {
			problems.push(asRouseError(error).toDocument());
		}
	}
	const [first = null] = problems;
	return { item, plan, warnings: [...warnings], problem: problems.length === hosts.length ? first : null };
}
