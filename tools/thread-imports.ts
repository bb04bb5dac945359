import type { ImportGraph } from './import-circles.ts';

/** What costs little in each thread: the rest of what a program needs its main thread has. */
const ofThreads = [/^node:/, /^@napi-rs\/blake-hash$/];

/**
 * To each package that a thread loads and could do without: it would be loaded for every thread anew, and zod alone is 50 ms of a
 * processor and 8 MB. Entries of threads are named `…-thread.ts`. `loads`: of each file what it imports and not as types, files and
 * packages.
 */
export function objectionsToThreads(loads: ImportGraph): string[] {
	const entries = [...loads.keys()].filter(file => file.endsWith('-thread.ts') && !file.startsWith('test/'));
	return entries.flatMap(entry =>
		waysToPackages(loads, entry)
			.filter(way => !ofThreads.some(allowed => allowed.test(way.at(-1) ?? '')))
			.map(way => `a thread loads ${way.at(-1)}: ${way.join(' -> ')}`),
	);
}

/** A shortest way to each. */
function waysToPackages(loads: ImportGraph, entry: string): string[][] {
	const ways: string[][] = [[entry]];
	const seen = new Set([entry]);
	for (const way of ways)
		for (const next of loads.get(way.at(-1) ?? '') ?? []) {
			if (seen.has(next)) continue;
			seen.add(next);
			ways.push([...way, next]);
		}
	return ways.filter(way => !loads.has(way.at(-1) ?? ''));
}
