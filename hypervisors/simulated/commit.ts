import { open } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { isSpaceShort } from '../../system/durable-file.ts';
import type { DiskStack } from './disk-stack.ts';
import { removeOverlays } from './overlays.ts';
import type { MachineParts } from './parts.ts';
import { records } from './record.ts';

/** What was written to the targets so far, by whomever, is on stable storage. */
export async function syncTargets({ settings, definition, stacks }: MachineParts): Promise<void> {
	settings.faults.expectWritable('target', definition);
	for (const stack of stacks) {
		const file = await open(stack.targetPath, 'r');
		try {
			await file.datasync();
		} catch (cause) {
			throw writeError(stack, cause);
		} finally {
			await file.close();
		}
	}
}

/** What the system says while something is written to a target, in the contract's words. */
export function writing<T>(stack: DiskStack, write: () => T): T {
	try {
		return write();
	} catch (cause) {
		throw cause instanceof RouseError ? cause : writeError(stack, cause);
	}
}

function writeError({ targetPath }: DiskStack, cause: unknown): RouseError {
	const what = `${targetPath}: ${cause instanceof Error ? cause.message : String(cause)}`;
	return new RouseError(isSpaceShort(cause) ? 'space_short' : 'io_failed', what, { cause });
}

/**
 * With the machine off: the overlays go into the targets, durably. They stay as they are until all is there, so that it
 * may be done again from the start.
 */
export async function commitOffline(parts: MachineParts): Promise<void> {
	parts.settings.faults.expectWritable('target', parts.definition);
	for (const stack of parts.stacks) writing(stack, () => stack.commit(0));
	await syncTargets(parts);
}

/** The overlays count no more, for good, before they go: what the guest writes next is on the targets alone. */
export async function dropOverlays(parts: MachineParts): Promise<void> {
	await records.change(parts.definition, parts.paths, { merged: true });
	await removeOverlays(parts);
}
