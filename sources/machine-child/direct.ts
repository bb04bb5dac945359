import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../../model/errors.ts';
import { openRepository, type Repository } from '../../repository/repository.ts';
import { unknownRepository } from '../../system/configured-repositories.ts';
import { loadConfig } from '../../system/installation.ts';
import { type ConfiguredSource, sourceIn } from '../../system/machine-sources.ts';
import { reachedFromEnvironment } from '../../system/reached.ts';
import type { EndedImport, ImportOrder } from '../machine/order.ts';
import { ownerOf } from '../machine/owner.ts';
import { ReadPace } from '../machine/read-pace.ts';
import { isReady } from '../machine/steps/begin.ts';
import { commitMoment } from '../machine/steps/commit.ts';
import { copyMoment } from '../machine/steps/copy.ts';
import { giveUp } from '../machine/steps/give-up.ts';
import { leftoversOf } from '../machine/steps/leftovers.ts';
import { makeOrder } from '../machine/steps/make-order.ts';
import type { StepPlaces } from '../machine/steps/places.ts';
import { beginSwept, sweep } from '../machine/steps/sweep.ts';
import { openMachineSource } from '../open-machine-source.ts';
import type { ImportPlaces } from './calls.ts';
import { CopyProgress } from './copy-progress.ts';
import type { ImportSteps } from './import-steps.ts';

interface Opened extends StepPlaces {
	configured: ConfiguredSource;
	/** Directory of the repository that the source names; undefined when it names none. */
	namedDirectory: string | undefined;
}

/** Without an id whatever repository is in the directory is meant. */
type MeantPlaces = Omit<ImportPlaces, 'repositoryId'> & Partial<Pick<ImportPlaces, 'repositoryId'>>;

/**
 * A platform that makes a copy of a disk takes seconds, or hours: who waits longer than this ends, and looks again with another
 * process. Hundreds that wait at once would hold the memory and the slots of a worker for a night.
 */
const mostWaitMs = 20_000;
const firstLookMs = 1_000;
const mostLookMs = 8_000;

interface DirectOptions {
	/** Told while it waits for a platform. */
	onWait?: () => void;
	mostWaitMs?: number;
}

/** In this process, which waits with whatever hangs: for a child that may be killed, and for who wants to see a plan. */
export function directSteps(home: string, { onWait = () => {}, ...limits }: DirectOptions = {}): ImportSteps {
	const within = <T>(places: MeantPlaces, signal: AbortSignal, work: (opened: Opened) => Promise<T>) =>
		withPlaces(home, places, { signal, work });
	const ordered = <T>(
		places: ImportPlaces,
		order: ImportOrder,
		signal: AbortSignal,
		work: (opened: Opened) => Promise<T>,
	) =>
		within(places, signal, async opened => {
			mustBeMeant(opened, { machine: order.machine, directory: places.repository });
			ownIn(opened.repository, order);
			return work(opened);
		});
	return {
		plan: (places, wish, signal) =>
			within(places, signal, async opened => {
				mustBeMeant(opened, { machine: wish.machine, directory: places.repository });
				return makeOrder(opened, { ...wish, spec: opened.configured.spec, now: new Date() });
			}),
		sweep: (places, order, signal) => ordered(places, order, signal, opened => sweep(opened, order)),
		begin: (places, order, signal) => ordered(places, order, signal, opened => beginSwept(opened, order)),
		ready: (places, moment, signal) =>
			within(places, signal, async opened => {
				const until = performance.now() + (limits.mostWaitMs ?? mostWaitMs);
				for (let everyMs = firstLookMs; !(await isReady(opened, moment)); everyMs = Math.min(everyMs * 2, mostLookMs)) {
					if (performance.now() >= until) throw notYet(opened);
					onWait();
					await delay(everyMs, undefined, { signal });
				}
			}),
		copy: (places, { order, moment, maxRateBytes }, { signal, onProgress }) =>
			ordered(places, order, signal, async opened => {
				const pace = new ReadPace(maxRateBytes ?? opened.configured.maxRateBytes, { onWait });
				const told = new CopyProgress(moment.disks, pace, onProgress);
				return copyMoment(
					opened,
					{ order, moment },
					{ pace, progress: progress => told.tell(progress), reached: reachedFromEnvironment() },
				);
			}),
		// What ends an import does so whatever config.yaml calls its machine by then.
		commit: (places, order, signal) =>
			within(places, signal, opened => commitMoment(opened, ownIn(opened.repository, order))),
		giveUp: (places, order, signal) =>
			within(places, signal, opened => giveUp(opened, ownIn(opened.repository, order))),
		leftovers: (places, machine, signal) =>
			within(places, signal, async opened => ({
				repositoryId: opened.repository.id,
				leftovers: await leftoversOf(opened, machine),
			})),
	};
}

function notYet({ configured: { name } }: Opened): RouseError {
	return new RouseError('source_busy', `the platform of ${name} does not have the moment at hand yet`);
}

/** Opens both ends by what config.yaml says now, and closes them. */
async function withPlaces<T>(
	home: string,
	{ source: name, repository: directory, repositoryId }: MeantPlaces,
	{ signal, work }: { signal: AbortSignal; work: (opened: Opened) => Promise<T> },
): Promise<T> {
	const config = await loadConfig({ home });
	const configured = sourceIn(config, name);
	if (!Object.values(config.repositories).includes(directory)) throw unknownRepository(directory);
	const repository = await openRepository(directory);
	try {
		if (repositoryId !== undefined && repository.id !== repositoryId)
			throw new RouseError('identity_conflict', `in ${directory} is repository ${repository.id}, not ${repositoryId}`);
		const source = await openMachineSource(configured);
		try {
			const namedDirectory = configured.repository === null ? undefined : config.repositories[configured.repository];
			return await work({ source, repository, signal, configured, namedDirectory });
		} finally {
			await source.close();
		}
	} finally {
		await repository.store.close();
	}
}

/** Whoever makes up an order must not have what another machine or repository has on a platform taken away. */
function ownIn<O extends EndedImport>({ id }: Repository, order: O): O {
	const { owner, machine, identity } = order;
	if (owner === ownerOf(id, machine, identity)) return order;
	throw new RouseError('identity_conflict', `${owner} is not who owns imports of ${machine} into repository ${id}`);
}

/** What a workflow was told, or config.yaml said when it was started: an import goes where the person means it to. */
function mustBeMeant(
	{ configured: { name, machine }, namedDirectory }: Opened,
	wanted: { machine: string; directory: string },
): void {
	if (machine !== wanted.machine)
		throw new RouseError(
			'config_invalid',
			`source ${name} of config.yaml is machine ${machine}, not ${wanted.machine}`,
		);
	if (namedDirectory !== undefined && namedDirectory !== wanted.directory)
		throw new RouseError('config_invalid', `source ${name} belongs into ${namedDirectory}, not ${wanted.directory}`);
}
