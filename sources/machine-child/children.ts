import * as z from 'zod';
import { copyResultSchema } from '../machine/copy-result.ts';
import { leftoverSchema, sourceMomentSchema } from '../machine/documents.ts';
import { importOrderSchema } from '../machine/order.ts';
import type { Call } from './calls.ts';
import { askChild, type ChildOptions } from './child.ts';
import type { ImportSteps } from './import-steps.ts';

const sweptSchema = z.strictObject({ ended: z.int().min(0), left: z.array(z.string()) });
const leftoversSchema = z.strictObject({ repositoryId: z.uuid(), leftovers: z.array(leftoverSchema) });
const endSchema = z.enum(['given-up', 'published']);

/** Longer than a platform takes that is asked too often, and than a repository's indexes take to be read. */
const silenceMs = 30 * 60_000;

/** Each step in a process of its own, which alone opens repository, platform and credential. */
export function childSteps(home: string, options: Partial<ChildOptions> = {}): ImportSteps {
	const how = { silenceMs, ...options };
	const ask = (call: Call, asked: Parameters<typeof askChild>[2]) => askChild(call, how, asked);
	return {
		plan: async (places, wish, signal) =>
			importOrderSchema.parse(await ask({ do: 'plan', home, places, ...wish }, { signal })),
		sweep: async (places, order, signal) =>
			sweptSchema.parse(await ask({ do: 'sweep', home, places, order }, { signal })),
		begin: async (places, order, signal) =>
			sourceMomentSchema.parse(await ask({ do: 'begin', home, places, order }, { signal })),
		ready: async (places, moment, signal) => {
			await ask({ do: 'ready', home, places, moment }, { signal });
		},
		copy: async (places, copy, { signal, onProgress }) =>
			copyResultSchema.parse(await ask({ do: 'copy', home, places, ...copy }, { signal, onProgress })),
		commit: async (places, order, signal) => {
			await ask({ do: 'commit', home, places, order }, { signal });
		},
		giveUp: async (places, order, signal) =>
			endSchema.parse(await ask({ do: 'give-up', home, places, order }, { signal })),
		leftovers: async (places, machine, signal) =>
			leftoversSchema.parse(await ask({ do: 'leftovers', home, places, machine }, { signal })),
	};
}

/** As workers have it: Node keeps what it has compiled, and deaths that a test means for its worker are not the child's. */
export function childStepsOf({ home, cacheDirectory }: { home: string; cacheDirectory: string }): ImportSteps {
	const { ROUSE_TEST_KILL_AT: _ours, ...env } = process.env;
	return childSteps(home, { env: { ...env, NODE_COMPILE_CACHE: `${cacheDirectory}/compile` } });
}
