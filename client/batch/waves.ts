/** The order of a batch's groups. Pure. */

interface Ordered {
	name: string;
	after: readonly string[];
}

/**
 * Groups that may start together, in their order: those of a wave follow some of the wave before. A group that waits for
 * itself, by way of others or not, is in none.
 */
export function wavesOf<G extends Ordered>(groups: readonly G[]): G[][] {
	const waves: G[][] = [];
	const placed = new Set<string>();
	for (let left = groups; left.length > 0; ) {
		const next = left.filter(({ after }) => after.every(name => placed.has(name)));
		if (next.length === 0) break;
		waves.push(next);
		for (const { name } of next) placed.add(name);
		left = left.filter(group => !next.includes(group));
	}
	return waves;
}

/** The groups that wait for each other in a circle, in its order; undefined when there is none. */
export function circleOf(groups: readonly Ordered[]): string[] | undefined {
	const placed = new Set(wavesOf(groups).flatMap(wave => wave.map(({ name }) => name)));
	const left = new Map(groups.filter(({ name }) => !placed.has(name)).map(group => [group.name, group]));
	const way: string[] = [];
	// Each that is left waits for another that is left: the way comes back to where it was.
	for (let at = left.values().next().value; at; at = left.get(at.after.find(name => left.has(name)) ?? '')) {
		if (way.includes(at.name)) return way.slice(way.indexOf(at.name));
		way.push(at.name);
	}
	return undefined;
}
