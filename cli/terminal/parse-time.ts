import { InvalidArgumentError } from '@commander-js/extra-typings';
import { readTime } from '../../model/written-values.ts';

const shape = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

/** RFC 3339 with any offset, as the full name of a point: UTC with milliseconds. */
export function parseTime(text: string): string {
	const time = readTime(text);
	if (time !== undefined) return time;
	throw new InvalidArgumentError(
		shape.test(text.toUpperCase())
			? `"${text}": there is no such day or hour.`
			: `"${text}" is no time: write 2026-11-20T03:00:00Z or 2026-11-20T04:00:00+01:00.`,
	);
}

const unitMs: Readonly<Record<string, number>> = {
	m: 60_000,
	min: 60_000,
	h: 3_600_000,
	d: 86_400_000,
	w: 604_800_000,
};

/** A time as {@link parseTime} takes it, or how long ago: `30min`, `2h`, `7d`. `nowMs`: of the epoch. */
export function parseSince(text: string, nowMs = Date.now()): string {
	const [, digits, unit = ''] = /^(\d{1,6}) ?(m|min|h|d|w)$/i.exec(text) ?? [];
	if (digits !== undefined) return new Date(nowMs - Number(digits) * (unitMs[unit.toLowerCase()] ?? 0)).toISOString();
	if (shape.test(text.toUpperCase())) return parseTime(text);
	throw new InvalidArgumentError(`"${text}" is no time: write 2h, 7d or 2026-11-20T03:00:00Z.`);
}
