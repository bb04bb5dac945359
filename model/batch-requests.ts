import { type BatchItem, type BatchPlan, batchLimits } from './batch.ts';
import { RouseError } from './errors.ts';
import { refusalText } from './issue-text.ts';
import { type RecoveryRequest, recoveryRequestSchema } from './recovery.ts';

/** The whole request of an item: its hash in the plan is of this. Throws `input_invalid` when a part of it is missing. */
export function itemRequest({ common }: Pick<BatchPlan, 'common'>, { name, differs }: BatchItem): RecoveryRequest {
	const parsed = recoveryRequestSchema.safeParse({ ...common, ...differs, name });
	if (parsed.success) return parsed.data;
	throw new RouseError('input_invalid', `the request of ${name}: ${refusalText(parsed.error)}`);
}

/** Why a plan cannot be carried out, whatever the hosts are like; undefined when it can. */
export function planObjection(plan: BatchPlan): string | undefined {
	const { items, groups } = plan;
	const bytes = new TextEncoder().encode(JSON.stringify(plan)).length;
	if (bytes > batchLimits.planBytes)
		return `it comes to ${bytes} bytes, and a batch bears ${batchLimits.planBytes}: make several of it`;
	const twice = repeated(items.map(({ name }) => name)) ?? repeated(groups.map(({ name }) => name));
	if (twice !== undefined) return `${twice} is in it twice`;
	const after = new Map(groups.map(group => [group.name, group.after]));
	const named = [...items.map(({ group }) => group), ...groups.flatMap(group => group.after)];
	const unknown = named.find(name => !after.has(name));
	if (unknown !== undefined) return `there is no group ${unknown}`;
	const first = groups.find(({ name }) => follows(name, name, after));
	return first && `group ${first.name} would have to wait for itself`;
}

function repeated(names: readonly string[]): string | undefined {
	const seen = new Set<string>();
	return names.find(name => seen.size === seen.add(name).size);
}

function follows(name: string, whom: string, after: ReadonlyMap<string, readonly string[]>): boolean {
	const seen = new Set<string>();
	const ahead = [...(after.get(name) ?? [])];
	for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
		if (next === whom) return true;
		if (seen.size < seen.add(next).size) ahead.push(...(after.get(next) ?? []));
	}
	return false;
}
