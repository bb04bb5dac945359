import * as z from 'zod';

/** Names of machines, recoveries, repositories and hosts. */
export const nameSchema = z
	.string()
	.regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'a name is 1 to 40 of a-z, 0-9 and "-", and does not start with "-"');

/** RFC 3339 in UTC with milliseconds: the full name of a point within its machine. */
export const pointTimeSchema = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);

/** `MACHINE@POINT`; POINT is `latest` or a prefix of the point's time. */
export interface PointReference {
	machine: string;
	point: string;
}

export function parsePointReference(text: string): PointReference | undefined {
	const at = text.indexOf('@');
	const machine = at < 0 ? text : text.slice(0, at);
	const point = at < 0 ? 'latest' : text.slice(at + 1);
	if (!nameSchema.safeParse(machine).success) return undefined;
	if (point !== 'latest' && !/^\d[\d:.TZ-]*$/.test(point)) return undefined;
	return { machine, point };
}

/**
 * Whether `prefix`, as a person writes it, names the point at `time`. `2026-11-20T03:00Z` names every point of that
 * minute: a trailing `Z` closes no field that was left out.
 */
export function pointMatches(time: string, prefix: string): boolean {
	return time === prefix || time.startsWith(prefix.endsWith('Z') ? prefix.slice(0, -1) : prefix);
}
