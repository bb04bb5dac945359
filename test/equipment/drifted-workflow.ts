import { proxyActivities } from '@temporalio/workflow';
import { recovery as real } from '../../workflows/recovery.ts';

const { extra } = proxyActivities<{ extra(): Promise<void> }>({ startToCloseTimeout: '1m' });

/** The recovery with a step too many: what a change of the workflow without `patched()` looks like to an old history. */
export async function recovery(...args: Parameters<typeof real>): Promise<unknown> {
	await extra();
	return real(...args);
}
