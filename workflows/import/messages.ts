/** What an import can be told and asked. Set before the first await: an update may be older than the run. */
import { setHandler } from '@temporalio/workflow';
import { askedSchema, checkOrder } from '../batch/messages.ts';
import { cancelImportUpdate, importViewQuery } from '../import-contracts.ts';
import type { ImportRun } from './run.ts';

export function takeImportMessages(run: ImportRun): void {
	setHandler(importViewQuery, () => run.view());
	setHandler(cancelImportUpdate, asked => run.cancel(asked), { validator: asked => checkOrder(askedSchema, asked) });
}
