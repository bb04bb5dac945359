import type { DiskImage } from './chunk.ts';
import { missingWarnings } from './missing-warnings.ts';
import { readSourceFacts } from './source-facts.ts';

interface Point {
	disks: readonly DiskImage[];
	facts: Readonly<Record<string, unknown>>;
}

/** What is wrong with a restore point and yet does not keep a machine from being started from it. */
export function pointWarnings({ disks, facts }: Point): string[] {
	return [...missingWarnings(disks), ...consistencyWarnings(facts)];
}

function consistencyWarnings(facts: Point['facts']): string[] {
	if (readSourceFacts(facts)?.consistency !== 'none') return [];
	return [
		'its disks are of no one moment (consistency none): what they hold is of different times, and may not fit together',
	];
}
