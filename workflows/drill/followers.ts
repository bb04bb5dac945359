import type { BatchPlan } from '../../model/batch.ts';

/** By group all those that follow it, one after the other: none of its machines goes before theirs are tried. */
export function followersOf({ groups }: Pick<BatchPlan, 'groups'>): ReadonlyMap<string, readonly string[]> {
	const direct = (name: string) => groups.filter(({ after }) => after.includes(name)).map(group => group.name);
	return new Map(
		groups.map(({ name }) => {
			const found = new Set<string>();
			const ahead = direct(name);
			for (let next = ahead.pop(); next !== undefined; next = ahead.pop())
				if (found.size < found.add(next).size) ahead.push(...direct(next));
			return [name, [...found]];
		}),
	);
}
