import type { Nothing, StepContext } from '../recovery/step-context.ts';

/** Kept by this supervisor alone: after the next boot of the host it is asked for again. */
export async function confirmOpen({ recovery }: StepContext): Promise<Nothing> {
	recovery.seen.open = true;
	return {};
}
