import { asRouseError, RouseError } from '../../model/errors.ts';
import type { CallOptions, MoverGate } from '../contract.ts';
import type { Hole } from './disk-stack.ts';
import type { MachineParts } from './parts.ts';
import { within } from './within.ts';

const probeMs = 10_000;
/** Between two attempts at a mover that is not there. */
const reconnectMs = 20;

/** Throws `mover_unreachable` unless all disks are served. */
export async function probeBase({ settings, definition }: MachineParts, { signal }: CallOptions): Promise<void> {
	for (const [index, { name }] of definition.disks.entries())
		try {
			await within(settings.clock, { what: `${name} of the mount mover`, ms: probeMs, signal }, until =>
				settings.readBase(definition, index, 0, Buffer.alloc(0), until),
			);
		} catch (cause) {
			signal?.throwIfAborted();
			const why = asRouseError(cause).message;
			throw new RouseError('mover_unreachable', `${name} of ${definition.machineName}: ${why}`, { cause });
		}
}

/** Waits for a mover that is not there, as long as the signal lets it; throws what it answers with. */
export async function readHoles(
	{ settings, definition }: MachineParts,
	disk: number,
	holes: readonly Hole[],
	signal: AbortSignal,
): Promise<void> {
	const reads = holes.map(async ({ offsetBytes, into }) => {
		for (;;)
			try {
				return await settings.readBase(definition, disk, offsetBytes, into, signal);
			} catch (error) {
				signal.throwIfAborted();
				if (asRouseError(error).code !== 'mover_unreachable') throw error;
				await settings.clock.delay(reconnectMs, signal);
			}
	});
	// All have ended when this does: nothing is written to a buffer that somebody has got.
	for (const result of await Promise.allSettled(reads)) if (result.status === 'rejected') throw result.reason;
}

/** A request of the guest that the mount mover has to answer: from now until it has ended the machine has it in hand. */
export async function inHand<T>({ memory }: MachineParts, request: () => Promise<T>): Promise<T> {
	const answer = request();
	const ended = answer.then(
		() => undefined,
		() => undefined,
	);
	memory.reads.add(ended);
	try {
		return await answer;
	} finally {
		memory.reads.delete(ended);
	}
}

/** No read is in hand; `hypervisor_stuck` when that takes too long. */
export async function answered({ settings, memory }: MachineParts, { signal }: CallOptions): Promise<void> {
	if (memory.reads.size === 0) return;
	await within(settings.clock, { what: 'reads of the machine', ms: settings.stuckMs, signal }, async until => {
		while (memory.reads.size > 0 && !until.aborted) await Promise.all(memory.reads);
	});
}

/**
 * `work`, once all reads of the machine were answered: where reads hold up the platform's calls, they do it here. By
 * the gate, so that none is waited for in vain.
 */
export function onceAnswered<T>(
	parts: MachineParts,
	gate: MoverGate,
	work: () => T | Promise<T>,
	options: CallOptions & { first?: boolean; patienceMs?: number },
): Promise<T> {
	const { signal } = options;
	return gate.pass(async () => {
		await answered(parts, { signal });
		return work();
	}, options);
}
