/** Who imports whom; for a folder, what its files import outside of it. */
export type ImportGraph = ReadonlyMap<string, ReadonlySet<string>>;

/** The circles among files, and among the folders in each root folder. */
export function objectionsToCircles(files: ImportGraph): string[] {
	return [...circlesOf(files), ...circlesOf(betweenFolders(files))].map(
		circle => `circle of imports: ${circle.join(' -> ')}`,
	);
}

/** Of each node that is in a circle the shortest one, each circle once: it begins and ends with its first by name. */
export function circlesOf(graph: ImportGraph): string[][] {
	const circles = new Map<string, string[]>();
	for (const start of [...graph.keys()].toSorted()) {
		const circle = shortestWayBack(graph, start);
		if (circle === undefined) continue;
		const first = circle.indexOf(circle.toSorted()[0] ?? '');
		const turned = [...circle.slice(first), ...circle.slice(0, first)];
		circles.set(turned.join(), [...turned, ...turned.slice(0, 1)]);
	}
	return [...circles.values()];
}

/** From `start` over its imports until one imports `start`; undefined when none does. */
function shortestWayBack(graph: ImportGraph, start: string): string[] | undefined {
	const ways: string[][] = [[start]];
	const seen = new Set([start]);
	for (const way of ways)
		for (const next of graph.get(way.at(-1) ?? '') ?? []) {
			if (next === start) return way;
			if (seen.has(next)) continue;
			seen.add(next);
			ways.push([...way, next]);
		}
	return undefined;
}

/** Only folders of the same root folder, as `supervisor/steps` and `supervisor/reconcile`; what is deeper belongs to them. */
function betweenFolders(files: ImportGraph): ImportGraph {
	const folders = new Map<string, Set<string>>();
	for (const [file, imports] of files) {
		const from = folderIn(file);
		if (from === undefined) continue;
		for (const target of imports) {
			const to = folderIn(target);
			if (to === undefined || to === from || rootOf(to) !== rootOf(from)) continue;
			folders.set(from, (folders.get(from) ?? new Set()).add(to));
		}
	}
	return folders;
}

function folderIn(file: string): string | undefined {
	const [root, folder, ...rest] = file.split('/');
	return rest.length > 0 ? `${root}/${folder}` : undefined;
}

function rootOf(path: string): string | undefined {
	return path.split('/')[0];
}
