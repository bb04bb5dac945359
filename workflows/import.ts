import { allHandlersFinished, CancellationScope, condition, workflowInfo } from '@temporalio/workflow';
import * as z from 'zod';
import { refusalText } from '../model/issue-text.ts';
import { machineNameSchema } from '../model/machine.ts';
import { nameSchema } from '../model/names.ts';
import type { ImportView } from '../model/import-view.ts';
import { failureOf } from './failures.ts';
import { type ImportInput, importWorkflowId } from './import-contracts.ts';
import { takeImportMessages } from './import/messages.ts';
import { takeLeases } from './lease-inbox.ts';
import { ImportRun } from './import/run.ts';

/**
 * Makes a restore point of a machine as its platform has it now, workflow id `import/REPOSITORY/MACHINE`: docs/architecture.md,
 * "Where machines come from". Ends when the point is there, or nothing is left of the attempt.
 */
export async function importMachine(input: ImportInput): Promise<ImportView> {
	const run = new ImportRun(inputOf(input), workflowInfo().startTime);
	takeImportMessages(run);
	takeLeases(run.turn);
	const cancelled = CancellationScope.current().cancelRequested.catch(() => run.cancel({ by: 'Temporal' }));
	void cancelled; // settles when the workflow is cancelled, or never
	// What was begun is given up first: a cancellation is an order as any other.
	return CancellationScope.nonCancellable(async () => {
		await run.whole();
		const view = run.end();
		await condition(allHandlersFinished);
		return view;
	});
}

const inputSchema = z.strictObject({
	source: nameSchema,
	repository: z.string().min(1),
	repositoryId: z.uuid(),
	machine: machineNameSchema,
	maxRateBytes: z.int().min(1).nullable(),
});

/** Whoever has the keys may start workflows by hand: two of one machine would take each other's moments away. */
function inputOf(input: unknown): ImportInput {
	const { workflowId } = workflowInfo();
	const parsed = inputSchema.safeParse(input);
	const refuse = (message: string) =>
		failureOf({ code: 'input_invalid', message: `workflow ${workflowId}: ${message}` });
	if (!parsed.success) throw refuse(`its input is none of an import: ${refusalText(parsed.error)}`);
	const { repositoryId, machine } = parsed.data;
	if (workflowId !== importWorkflowId(repositoryId, machine))
		throw refuse(`machine ${machine} of repository ${repositoryId} does not belong to it`);
	return parsed.data;
}
