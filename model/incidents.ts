import type { Incident } from './recovery.ts';

/** Adds incidents in the order of their sequence; one whose sequence is known replaces it: its count has grown. */
export function mergeIncidents(known: readonly Incident[], more: readonly Incident[]): Incident[] {
	const bySequence = new Map([...known, ...more].map(incident => [incident.sequence, incident]));
	return [...bySequence.values()].toSorted((a, b) => a.sequence - b.sequence);
}
