import { shortened } from '../../model/printable-text.ts';

const most = 32;
const longest = 400;

/** Of what a step has to say as much as a person reads: a repository may have a warning for each of its packs, and a history has limits. */
export function fewLines(lines: readonly string[]): string[] {
	const few = lines.slice(0, lines.length > most ? most - 1 : most).map(line => shortened(line, longest));
	return lines.length > most ? [...few, `and ${lines.length - few.length} more`] : few;
}
