/** Where a restore point came from and how consistent it is, for `backup list` and `backup show`. */
import { assumedOf, assumedText } from '../../model/assumed.ts';
import { readSourceFacts, type SourceFacts } from '../../model/source-facts.ts';
import type { Manifest } from '../../repository/format/manifest.ts';
import { formatTime } from '../terminal/format-time.ts';

type Told = Pick<Manifest, 'config' | 'facts'>;

/** Of disks that were imported by themselves nobody knows how consistent they are. */
export function briefSource({ config, facts }: Told) {
	const source = readSourceFacts(facts);
	return { kind: source?.kind ?? config.origin.kind, consistency: source?.consistency ?? null };
}

/** `ec2, crash`, or `image`. */
export function briefSourceText(point: Told): string {
	const { kind, consistency } = briefSource(point);
	return consistency === null ? kind : `${kind}, ${consistency}`;
}

export function wholeSource({ facts }: Told) {
	const source = readSourceFacts(facts);
	return { source: source === undefined ? null : withoutCheckpoint(source), assumed: assumedOf(facts) };
}

/** That one is in the words of its source, and of use to nobody else. */
function withoutCheckpoint({ checkpoint: _checkpoint, ...source }: SourceFacts) {
	return source;
}

export function sourceLines({ config, facts }: Told): string[] {
	const source = readSourceFacts(facts);
	const assumed = assumedText(assumedOf(facts), config);
	return [...(source === undefined ? [] : linesOf(source)), ...(assumed === '' ? [] : [`assumed   ${assumed}`])];
}

function linesOf({ uri, identity, ids, takenAt, consistency, together, leftOut }: SourceFacts): string[] {
	const names = Object.entries(ids).map(([name, id]) => `${name} ${id}`);
	return [
		`Source    ${[uri, `machine ${identity}`, ...names].join(', ')}`,
		`Moment    ${formatTime(takenAt)}, consistency ${consistency}${together ? '' : ', disks of different times'}`,
		...leftOut.map(({ what, why }) => `left out  ${what}: ${why}`),
	];
}
