import { RouseError } from '../../../model/errors.ts';
import { shortened } from '../../../model/printable-text.ts';
import { readSourceFacts } from '../../../model/source-facts.ts';
import { listPoints } from '../../../repository/points.ts';
import { readOrDamage } from '../../../repository/read-points.ts';
import type { Repository } from '../../../repository/repository.ts';
import type { SourceMachine } from '../documents.ts';

/** A warning when the machine's latest point came from another one: two sources with one name, or an address that leads elsewhere now. */
export async function otherOrigin(
	repository: Repository,
	machine: string,
	{ kind, identity }: SourceMachine,
	signal: AbortSignal,
): Promise<string | undefined> {
	const latest = (await listPoints(repository, machine, signal)).at(-1);
	const point = latest === undefined ? undefined : await readOrDamage(repository, machine, latest, signal);
	if (point === undefined || point instanceof RouseError) return undefined;
	const from = readSourceFacts(point.manifest.facts);
	if (from === undefined || (from.kind === kind && from.identity === identity)) return undefined;
	const text = `the latest point of ${machine} came from ${from.kind} ${from.identity}, and this is ${kind} ${identity}: are both ${machine}?`;
	return shortened(text, 300);
}
