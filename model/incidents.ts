import type { Incident } from './recovery.ts';

/** Characters; what a tool prints as its reason has no end, and the beginning says most. */
const messageLength = 1_000;

/** What is kept of a recovery's incidents in a workflow's state, a signal or a result: Temporal takes 2 MiB of each. */
export const incidentBytes = 256 * 1024;

/** Adds incidents in the order of their sequence; one whose sequence is known replaces it: its count has grown. */
export function mergeIncidents(known: readonly Incident[], more: readonly Incident[]): Incident[] {
	const bySequence = new Map([...known, ...more].map(incident => [incident.sequence, incident]));
	return [...bySequence.values()].toSorted((a, b) => a.sequence - b.sequence);
}

export function shortMessage(message: string): string {
	return message.length <= messageLength ? message : `${message.slice(0, messageLength - 1)}…`;
}

/** From the first on, as many as come to {@link incidentBytes} as JSON; never none of some, or one would hold up all. */
export function firstIncidents(incidents: readonly Incident[]): Incident[] {
	return incidents.slice(0, Math.max(1, howMany(incidents)));
}

/** Up to the last, as many as come to {@link incidentBytes} as JSON, and no more than `count`. */
export function lastIncidents(incidents: readonly Incident[], count: number): Incident[] {
	const last = incidents.slice(-count).toReversed();
	return last.slice(0, howMany(last)).toReversed();
}

function howMany(incidents: readonly Incident[]): number {
	let left = incidentBytes;
	const tooMany = incidents.findIndex(incident => {
		left -= bytesOf(incident) + 1;
		return left < 0;
	});
	return tooMany === -1 ? incidents.length : tooMany;
}

/** Known once it was counted: with each report a workflow looks at hundreds that it has looked at before. */
const counted = new WeakMap<Incident, number>();

/** As JSON in UTF-8. Nobody changes an incident; one that has grown is another object. */
function bytesOf(incident: Incident): number {
	const known = counted.get(incident);
	if (known !== undefined) return known;
	const bytes = new TextEncoder().encode(JSON.stringify(incident)).length;
	counted.set(incident, bytes);
	return bytes;
}
