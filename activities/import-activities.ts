import { Context } from '@temporalio/activity';
import { asRouseError, type ErrorCode } from '../model/errors.ts';
import type { ImportProgress } from '../model/import-view.ts';
import type { ImportSteps } from '../sources/machine-child/import-steps.ts';
import type { ImportOrder } from '../sources/machine/order.ts';
import { attempt } from './attempt.ts';
import { toFailure, untilMended } from './failures.ts';
import { CopyAttempts } from './import/copy-attempts.ts';
import { fewLines } from './import/few-lines.ts';
import type { ImportActivityInput } from './import/inputs.ts';
import { failureInTurn } from './import/stalled.ts';

/** Of a file system that is mounted late, and of a config.yaml that somebody is writing. */
const mended: ReadonlySet<ErrorCode> = new Set(['repository_missing', 'config_invalid']);

/** How the site's broker calls the repository in this directory. */
type RepositoryName = (directory: string) => Promise<string>;

/** The order, and by what the broker is asked for a lease; it was not told by earlier versions. */
export type PlannedImport = ImportOrder & { repositoryName?: string };

/** What a control worker does for imports from machine sources: each step is taken by a process of its own. */
export function createImportActivities(steps: ImportSteps, repositoryName: RepositoryName) {
	return {
		planImport: ({ places, inTurn, ...wish }: ImportActivityInput<'planImport'>): Promise<PlannedImport> =>
			attemptInTurn(inTurn, async signal => ({
				...(await steps.plan(places, wish, signal)),
				repositoryName: await repositoryName(places.repository),
			})),
		sweepImports: ({ places, order }: ImportActivityInput<'sweepImports'>) =>
			attempt(async ({ signal }) => {
				const { ended, left } = await steps.sweep(places, order, signal);
				return { ended, left: fewLines(left) };
			}),
		beginImport: ({ places, order, inTurn }: ImportActivityInput<'beginImport'>) =>
			attemptInTurn(inTurn, signal => steps.begin(places, order, signal)),
		awaitMoment: ({ places, moment }: ImportActivityInput<'awaitMoment'>) =>
			attempt(({ signal }) => steps.ready(places, moment, signal)),
		/** On a queue of its own: an import takes a processor, and some memory, for hours. */
		copyImport: ({ places, inTurn, before, ...copy }: ImportActivityInput<'copyImport'>) =>
			attempt(async ({ signal, report }) => {
				const { heartbeatDetails = before, attempt: number } = Context.current().info;
				const { moment, readAnew = false } = copy.moment;
				const kind = { isOnly: moment === null, isReadAnew: readAnew, isInTurn: inTurn === true };
				const attempts = new CopyAttempts(heartbeatDetails, number, kind);
				attempts.begin();
				report(attempts.beat);
				try {
					const onProgress = (progress: ImportProgress) => report(attempts.told(progress));
					const copied = await steps.copy(places, copy, { signal, onProgress });
					return { ...copied, warnings: fewLines(copied.warnings) };
				} catch (error) {
					signal.throwIfAborted();
					throw attempts.failure(error);
				}
			}),
		commitImport: ({ places, order }: ImportActivityInput<'commitImport'>) =>
			attempt(({ signal }) => steps.commit(places, order, signal)),
		/** Tried as well when a person has to mend something first: what is left on a platform may cost money each day. */
		giveUpImport: ({ places, order }: ImportActivityInput<'giveUpImport'>) =>
			attempt(async ({ signal }) => {
				try {
					return await steps.giveUp(places, order, signal);
				} catch (error) {
					signal.throwIfAborted();
					const { code, retry } = asRouseError(error);
					throw mended.has(code) ? toFailure(error, [retry]) : untilMended(error);
				}
			}),
	};
}

/** Of a step for which others may have to wait. */
function attemptInTurn<T>(isInTurn: true | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
	return attempt(async ({ signal }) => {
		try {
			return await work(signal);
		} catch (error) {
			signal.throwIfAborted();
			const failure = toFailure(error);
			throw isInTurn ? failureInTurn(failure, { sinceMs: Context.current().info.scheduledTimestampMs }) : failure;
		}
	});
}

export type ImportActivities = ReturnType<typeof createImportActivities>;
