import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { TemporalClient } from '../client/connection.ts';
import { replaceFileDurably } from '../system/durable-file.ts';

/** The newest history of a workflow, as the replay tests read it. */
export async function saveHistory(path: string, { client }: TemporalClient, workflowId: string): Promise<void> {
	const history = await client.workflow.getHandle(workflowId).fetchHistory();
	// JSON.stringify cannot be read back (sdk-typescript#1362). Who recorded it, and where, does not matter.
	const text = historyToJSON(history)
		.replaceAll(/"\d+@[^"]*"/g, '"recorder"')
		.replaceAll(/("stackTrace": ?)"(?:[^"\\]|\\.)*"/g, '$1""');
	await replaceFileDurably(path, `${text}\n`);
	console.error(`${path}: ${history.events?.length} events`);
}
