import { change } from '../files/state.ts';
import type { Nothing, StepContext } from '../recovery/step-context.ts';

/** What is there stays, guest writes above all, and a machine that runs runs on: the next word is a person's. */
export async function abandon({ recovery }: StepContext): Promise<Nothing> {
	if (recovery.state.abandoned) return {};
	await recovery.change(change.abandoned());
	await recovery.incidents.add('abandoned', 'its workflow has given this host up; its machine is not started any more');
	return {};
}
