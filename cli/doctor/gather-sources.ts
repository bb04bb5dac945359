import type { TemporalClient } from '../../client/connection.ts';
import { ImportSchedules } from '../../client/import-schedules.ts';
import { type ImportName, Imports } from '../../client/imports.ts';
import { asRouseError } from '../../model/errors.ts';
import type { ImportView } from '../../model/import-view.ts';
import { childStepsOf } from '../../sources/machine-child/children.ts';
import type { ImportSteps } from '../../sources/machine-child/import-steps.ts';
import type { Config, Installation } from '../../system/installation.ts';
import { sourceIn } from '../../system/machine-sources.ts';
import { chooseConfigured } from '../repository-choice.ts';
import type { ImportScheduleFacts, LeftoverFacts, SourceFacts } from './facts.ts';

/** A platform that has not answered by then is away, as far as this command goes. */
const platformLimitMs = 15_000;
/** And all of them have that long together: whoever calls for a doctor waits for the rest. */
const allLimitMs = 60_000;
/** A process each, of some 100 MB and half a second of a processor. */
const mostAtOnce = 4;

/** What a look at sources goes by. */
export interface SourceLook {
	config: Config;
	steps: Pick<ImportSteps, 'leftovers'>;
	imports: Pick<Imports, 'isUnderWay'>;
	/** Instead of ours. */
	limits?: { platformMs: number; allMs: number };
}

/** What imports have left on the platforms of config.yaml. Repositories and platforms are opened by processes that may hang. */
export async function gatherSources(
	installation: Installation,
	config: Config,
	temporal: TemporalClient,
): Promise<SourceFacts[]> {
	return lookAtSources({ config, steps: childStepsOf(installation), imports: new Imports(temporal) });
}

export async function gatherImportSchedules(config: Config, temporal: TemporalClient): Promise<ImportScheduleFacts[]> {
	return lookAtSchedules({ config, schedules: new ImportSchedules(temporal), imports: new Imports(temporal) });
}

/** What a look at schedules goes by. */
export interface ScheduleLook {
	config: Config;
	schedules: Pick<ImportSchedules, 'list'>;
	imports: Pick<Imports, 'list'> & { view(name: ImportName): Promise<{ view: Pick<ImportView, 'outcome'> }> };
}

export async function lookAtSchedules({ config, schedules, imports }: ScheduleLook): Promise<ImportScheduleFacts[]> {
	const found: ImportScheduleFacts[] = [];
	for (const { source, lastAt, failure } of await schedules.list()) {
		const isConfigured = Object.hasOwn(config.sources, source);
		const isMadeUpFor =
			isConfigured && failure !== null && (await hasImportedSince(source, lastAt, { config, imports }));
		found.push({ source, isConfigured, lastAt, failure: isMadeUpFor ? null : failure });
	}
	return found;
}

/** Whoever has mended what was wrong, and made the backup, is not told of it until the schedule's next. */
async function hasImportedSince(
	source: string,
	lastAt: string | null,
	{ config, imports }: Pick<ScheduleLook, 'config' | 'imports'>,
): Promise<boolean> {
	const { machine } = sourceIn(config, source);
	const latest = (await imports.list(machine)).find(({ source: of }) => of === source);
	if (latest?.workflow !== 'COMPLETED' || latest.closedAt === null || latest.closedAt <= (lastAt ?? '')) return false;
	return (await imports.view(latest)).view.outcome === 'imported';
}

/** A few at once, in the order of config.yaml. */
export async function lookAtSources(look: SourceLook): Promise<SourceFacts[]> {
	const { platformMs, allMs } = look.limits ?? { platformMs: platformLimitMs, allMs: allLimitMs };
	const late = AbortSignal.timeout(allMs);
	const names = Object.keys(look.config.sources);
	const found = new Map<string, SourceFacts>();
	const waiting = names.values();
	const lookOn = async () => {
		for (const name of waiting) found.set(name, await factsOf(name, look, { late, platformMs }));
	};
	await Promise.all(Array.from({ length: mostAtOnce }, lookOn));
	return names.flatMap(name => found.get(name) ?? []);
}

async function factsOf(
	name: string,
	look: SourceLook,
	{ late, platformMs }: { late: AbortSignal; platformMs: number },
): Promise<SourceFacts> {
	if (late.aborted) return notKnown(name, 'there was no time to ask, others are slow');
	const signal = AbortSignal.any([late, AbortSignal.timeout(platformMs)]);
	try {
		return { name, leftovers: await leftoversOf(name, look, signal), problem: undefined };
	} catch (error) {
		if (signal.aborted) return notKnown(name, 'neither its repository nor its platform has answered in time');
		const { code, message } = asRouseError(error);
		if (code === 'temporal_unreachable') throw error;
		return notKnown(name, message, code === 'config_invalid');
	}
}

function notKnown(name: string, message: string, ofConfig = false): SourceFacts {
	return { name, leftovers: [], problem: { message, ofConfig } };
}

/**
 * What is there before and after a look that finds no import under way is nobody's: what one has that ends in between is gone then, or
 * its point's, and what one has that begins was not there before.
 */
async function leftoversOf(
	name: string,
	{ config, steps, imports }: SourceLook,
	signal: AbortSignal,
): Promise<LeftoverFacts[]> {
	const { machine, repository: named } = sourceIn(config, name);
	const repository = await chooseConfigured({ env: process.env }, named ?? undefined, config);
	const list = () => steps.leftovers({ source: name, repository }, machine, signal);
	const { repositoryId, leftovers: before } = await list();
	if (before.length === 0 || (await imports.isUnderWay({ machine, repositoryId }))) return [];
	const tags = new Set(before.map(({ tag }) => tag));
	return (await list()).leftovers.filter(({ tag }) => tags.has(tag));
}
