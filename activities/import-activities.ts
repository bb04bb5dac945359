import type { ImportSteps } from '../sources/machine-child/import-steps.ts';
import { attempt } from './attempt.ts';
import { untilMended } from './failures.ts';
import type { ImportActivityInput } from './import/inputs.ts';

/** What a control worker does for imports from machine sources: each step is taken by a process of its own. */
export function createImportActivities(steps: ImportSteps) {
	return {
		planImport: ({ places, ...wish }: ImportActivityInput<'planImport'>) =>
			attempt(({ signal }) => steps.plan(places, wish, signal)),
		sweepImports: ({ places, order }: ImportActivityInput<'sweepImports'>) =>
			attempt(({ signal }) => steps.sweep(places, order, signal)),
		beginImport: ({ places, order }: ImportActivityInput<'beginImport'>) =>
			attempt(({ signal }) => steps.begin(places, order, signal)),
		awaitMoment: ({ places, moment }: ImportActivityInput<'awaitMoment'>) =>
			attempt(({ signal }) => steps.ready(places, moment, signal)),
		/** On a queue of its own: an import takes a processor, and some memory, for hours. */
		copyImport: ({ places, ...copy }: ImportActivityInput<'copyImport'>) =>
			attempt(({ signal, report }) => steps.copy(places, copy, { signal, onProgress: report })),
		commitImport: ({ places, order }: ImportActivityInput<'commitImport'>) =>
			attempt(({ signal }) => steps.commit(places, order, signal)),
		/** Tried as well when a person has to mend something first: what is left on a platform may cost money each day. */
		giveUpImport: ({ places, order }: ImportActivityInput<'giveUpImport'>) =>
			attempt(async ({ signal }) => {
				try {
					return await steps.giveUp(places, order, signal);
				} catch (error) {
					signal.throwIfAborted();
					throw untilMended(error);
				}
			}),
	};
}

export type ImportActivities = ReturnType<typeof createImportActivities>;
