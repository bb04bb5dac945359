import { asRouseError } from '../../model/errors.ts';
import type { CallOptions } from '../contract.ts';
import { readChain, standOf } from './chain.ts';
import { diskHardware } from './hardware.ts';
import type { Found } from './look.ts';
import type { MachineParts } from './parts.ts';
import { records } from './record.ts';

/**
 * The machine was switched while it ran, and is off: each overlay goes into its target, which is the machine's disk then. Hyper-V
 * merges a hand-made overlay in no other state. May be done again. One that somebody has put checkpoints on is let be: its
 * disks are right as they are, in two files.
 */
export async function settle(parts: MachineParts, found: Found, options: CallOptions): Promise<void> {
	const { settings, definition, paths } = parts;
	const { snapshotMade, merged } = await records.of(definition, paths);
	if (merged || !snapshotMade || found.stage !== 'off' || found.checkpoints > 0) return;
	const chain = await readChain(parts, options);
	const stands = definition.disks.map((disk, at) => standOf(chain[at]?.files ?? [], paths.windows, disk));
	if (stands.some(stand => stand !== 'target' && stand !== 'alone')) return;
	for (const [at, disk] of definition.disks.entries()) {
		options.signal?.throwIfAborted();
		if (stands[at] === 'alone') continue;
		await settings.driver.ask('merge', {
			recoveryId: definition.recoveryId,
			overlay: paths.windows.overlay(disk),
			target: paths.windows.target(disk),
			slot: diskHardware(parts, disk).slot,
		});
	}
	await records.change(definition, paths, { merged: true });
}

/** In two files its disks are right as well: what keeps them from being merged keeps no machine off. */
export async function settleIfPossible(parts: MachineParts, found: Found, options: CallOptions): Promise<void> {
	try {
		await settle(parts, found, options);
		parts.seen.notMerged = undefined;
	} catch (error) {
		options.signal?.throwIfAborted();
		parts.seen.notMerged = asRouseError(error).message;
	}
}
