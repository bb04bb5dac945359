import type { StepAnswer, StepBody, StepName } from '../protocol.ts';
import type { StepContext } from '../recovery/step-context.ts';
import { abandon } from './abandon.ts';
import { allocate } from './allocate.ts';
import { confirmOpen } from './confirm-open.ts';
import { createMachine, reserve, snapshot, startMovers } from './first-steps.ts';
import { keepFirstReads } from './keep-first-reads.ts';
import { migrateChunks } from './migrate-chunks.ts';
import { pauseMigration } from './pause-migration.ts';
import { power, powerOn } from './power.ts';
import { retry } from './retry.ts';
import { switchToTarget } from './switch-to-target.ts';
import { unpinned } from './unpinned.ts';

/** Those that end a recovery, an incident's note and what comes after the end are not done in the way of the others. */
export type OrdinaryStep = Exclude<StepName, 'finalize' | 'discard' | 'undo' | 'incident' | 'owe-unpin'>;

export const ordinarySteps: {
	[S in OrdinaryStep]: (context: StepContext, body: StepBody<S>) => Promise<StepAnswer<S>>;
} = {
	reserve,
	allocate,
	'create-machine': createMachine,
	'start-movers': startMovers,
	snapshot,
	'power-on': powerOn,
	'migrate-chunks': migrateChunks,
	'pause-migration': pauseMigration,
	'switch-to-target': switchToTarget,
	power,
	retry,
	'confirm-open': confirmOpen,
	'keep-first-reads': keepFirstReads,
	abandon,
	unpinned,
};
