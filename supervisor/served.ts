import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../model/errors.ts';
import { waitFor } from '../system/wait.ts';
import type { StepContext } from './step.ts';
import { moversWanted } from './state.ts';

/** How long the mount mover goes on failing reads that would have to wait, unless it is told to serve again. */
const failForMs = 5_000;

/**
 * While QEMU starts it reads the first sector, to guess the disk's geometry, and stands still until it has it. That read
 * is failed late, since a guess without it may differ; but before QEMU's own monitor is given up (45 s).
 */
export const startPatienceMs = 30_000;

/**
 * Calls of the platform that wait for the machine's reads. A read that the mount mover holds, or that waits for a dead
 * one, freezes QEMU with all its monitors (measured with 7.2: `stop`, `system_reset`, `quit`, `blockdev-reopen`). So
 * while such a call runs the mount mover is kept alive, and when the call does not come back within `patienceMs` it is
 * told to answer what waits with EIO: the machine keeps those requests and asks again when it goes on.
 *
 * `first`: reads that wait are failed before the call is made, since it is known to wait for them.
 */
export async function served<T>(
	context: StepContext,
	work: () => Promise<T>,
	{ first = false, patienceMs = Number.POSITIVE_INFINITY }: { first?: boolean; patienceMs?: number } = {},
): Promise<T> {
	const { recovery } = context;
	if (!moversWanted(recovery.state).mount) return work();
	const failedFirst = first && (await failWaiting(context));
	const over = new AbortController();
	const guard = keepServing(context, patienceMs, over.signal);
	try {
		return await work();
	} finally {
		over.abort();
		const failedLater = await guard;
		if (failedFirst || failedLater) await serveAgain(context);
	}
}

/**
 * The mount mover answers and holds no read that waits; those that linger for `patienceMs` are answered with EIO. True
 * when that was needed. Throws `mover_unreachable` when it cannot be brought to that.
 */
export async function failWaiting({ recovery, signal }: StepContext, { patienceMs = 0 } = {}): Promise<boolean> {
	const { mount, watch } = recovery.equipment;
	const until = performance.now() + patienceMs;
	let failed = false;
	try {
		await waitFor(
			'the mount mover to answer with no read waiting',
			async () => {
				const state = await watch.mount.keep();
				if (state === undefined) return false;
				if (state.waitingReads === 0) return true;
				if (performance.now() < until) return false;
				await mount.control.failPending(failForMs);
				failed = true;
				return false;
			},
			{ timeoutMs: 15_000, signal },
		);
	} catch (cause) {
		signal.throwIfAborted();
		const why = cause instanceof Error ? cause.message : String(cause);
		throw new RouseError('mover_unreachable', `recovery ${recovery.name}: ${why}`, { cause });
	}
	return failed;
}

async function keepServing({ recovery }: StepContext, patienceMs: number, over: AbortSignal): Promise<boolean> {
	const { mount, watch } = recovery.equipment;
	const begun = performance.now();
	let failed = false;
	while (await rest(over)) {
		// The switch moves on while this runs: on the target nothing waits for a mover, and this one is about to end.
		if (!moversWanted(recovery.state).mount) break;
		const late = performance.now() - begun > patienceMs;
		try {
			const state = await watch.mount.keep();
			if (!late || state === undefined || state.waitingReads === 0) continue;
			await mount.control.failPending(failForMs);
			failed = true;
		} catch {
			// It died between the two calls: the next round starts it again, and counts that.
		}
	}
	return failed;
}

/** Ends the failing of reads; the mover forgets which chunks it took for bad. */
export async function serveAgain({ recovery }: StepContext): Promise<void> {
	if (!moversWanted(recovery.state).mount) return;
	try {
		await recovery.equipment.mount.control.serve();
	} catch {
		// A mover that is dead now serves when it is started again; one that hangs ends failing by itself.
	}
}

async function rest(over: AbortSignal): Promise<boolean> {
	try {
		await delay(100, undefined, { signal: over });
		return true;
	} catch {
		return false;
	}
}
