import { proxyActivities } from '@temporalio/workflow';
import type { ImportActivities } from '../../activities/import-activities.ts';
import type { ImportActivityInput } from '../../activities/import/inputs.ts';
import {
	beginImportOptions,
	commitImportOptions,
	copyAgainOptions,
	copyImportOptions,
	giveUpImportOptions,
	momentOptions,
	planImportOptions,
	sweepImportsOptions,
} from '../activity-options.ts';

/** As long as the platform keeps the moment, null: as long as it takes. */
type Within = number | null;

export const importStubs = {
	plan: proxyActivities<ImportActivities>(planImportOptions).planImport,
	sweep: proxyActivities<ImportActivities>(sweepImportsOptions).sweepImports,
	begin: proxyActivities<ImportActivities>(beginImportOptions).beginImport,
	ready: (input: ImportActivityInput<'awaitMoment'>, withinMs: Within) =>
		proxyActivities<ImportActivities>({ ...momentOptions, ...within(withinMs) }).awaitMoment(input),
	/** `once`: its moment has no name, so that nobody could go on where an attempt has ended. */
	copy: (input: ImportActivityInput<'copyImport'>, { withinMs, once }: { withinMs: Within; once: boolean }) => {
		const options = input.before === undefined ? copyImportOptions : copyAgainOptions;
		return proxyActivities<ImportActivities>({
			...options,
			...within(withinMs),
			retry: { ...options.retry, ...(once ? { maximumAttempts: 1 } : {}) },
		}).copyImport(input);
	},
	commit: proxyActivities<ImportActivities>(commitImportOptions).commitImport,
	giveUp: proxyActivities<ImportActivities>(giveUpImportOptions).giveUpImport,
};

function within(ms: Within): { scheduleToCloseTimeout?: number } {
	return ms === null ? {} : { scheduleToCloseTimeout: Math.max(1, ms) };
}
