/** What clients, schedules and the workflow of an import say to each other. No I/O, no state. */
import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { ImportView } from '../model/import-view.ts';
import type { Asked } from './contracts.ts';

export const importWorkflow = 'importMachine';
export const scheduledImportWorkflow = 'scheduledImport';

/** One at a time of a machine in a repository, whatever its source is called. */
export function importWorkflowId(repositoryId: string, machine: string): string {
	return `import/${repositoryId}/${machine}`;
}

export function importScheduleId(source: string): string {
	return `import-schedule/${source}`;
}

/**
 * Whoever starts it sets the search attributes `machine`, `phase` (`planning`) and `owner`, and the memo {@link ImportMemo}. It
 * completes with the {@link ImportView} that it ends with, also when the import has failed; it fails when it is none at all.
 */
export interface ImportInput {
	/** Name of the source in config.yaml: what it means is looked up where a step is taken. */
	source: string;
	/** Directory of a configured repository, and its id. */
	repository: string;
	repositoryId: string;
	/** Its name in the repository. */
	machine: string;
	/** What the copy may read in a second; null: what config.yaml says. */
	maxRateBytes: number | null;
}

/** Readable without any worker; beside it the workflow itself keeps in `leases` what it holds of its broker. */
export type ImportMemo = {
	source: string;
	machine: string;
	repository: string;
	requestedBy: string;
	reason: string;
};

/** What a schedule starts; how fast it may read config.yaml says each time. */
export interface ScheduledImportInput extends Omit<ImportInput, 'maxRateBytes'> {
	requestedBy: string;
}

/** Nothing more is read, and the import is given up; one whose point is there already is finished. */
export const cancelImportUpdate = defineUpdate<void, [Asked]>('cancel');
export const importViewQuery = defineQuery<ImportView>('view');
