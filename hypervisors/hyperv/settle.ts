import { asRouseError } from '../../model/errors.ts';
import type { CallOptions, MachineDisk } from '../contract.ts';
import { readChain, type Stand } from './chain.ts';
import { type DiskFiles, diskFiles } from './disk-files.ts';
import type { RequestOf } from './driver/requests.ts';
import { diskHardware } from './hardware.ts';
import type { Found } from './look.ts';
import { putOverlay } from './overlays.ts';
import type { MachineParts } from './parts.ts';
import { records } from './record.ts';

/**
 * The machine was switched while it ran. Where its overlays are children, and it is off, each goes into its target, which is the
 * machine's disk then: Hyper-V merges a hand-made overlay in no other state. May be done again. One that somebody has put
 * checkpoints on is let be: its disks are right as they are, in two files. Returns why one waits that Windows is to merge.
 */
export async function settle(parts: MachineParts, found: Found, options: CallOptions): Promise<string | undefined> {
	if (parts.hardware.overlay === 'checkpoint') return mergeCheckpoint(parts, found, options);
	const { settings, definition, paths } = parts;
	const { snapshotMade, mergeBegun, merged } = await records.of(definition, paths);
	if (merged || !snapshotMade || found.stage !== 'off' || found.checkpoints > 0) return undefined;
	const disks = mergeBegun ? definition.disks : await disksToMerge(parts, options);
	if (disks === undefined) return undefined;
	// Before the first: what a merge leaves that was cut off the host may not be able to read.
	await records.change(definition, paths, { mergeBegun: true });
	for (const disk of disks) {
		const { slot } = diskHardware(parts, disk);
		const [overlay, target] = [paths.windows.overlay(disk), paths.windows.target(disk)];
		const request = { recoveryId: definition.recoveryId, overlay, target, slot };
		// It copies up to a whole disk: whoever waits for it no longer leaves it to the host.
		await settings.driver.ask('merge', request, options);
	}
	await records.change(definition, paths, { mergeBegun: false, merged: true });
	return undefined;
}

/**
 * The machine stands on its targets, and runs or is off: Windows is told that its checkpoint is needed no more, merges it, and
 * goes on with that whatever becomes of us. It is seen to be one file by a later look.
 */
async function mergeCheckpoint(parts: MachineParts, found: Found, options: CallOptions): Promise<string | undefined> {
	const { settings, definition, paths } = parts;
	const { windows } = paths;
	const { snapshotMade, merged } = await records.of(definition, paths);
	if (merged || !snapshotMade) return undefined;
	const { machineName } = definition;
	if (found.checkpoints > 0) return `${machineName} has ${found.checkpoints} checkpoints that Rouse did not make`;
	if (!['off', 'running'].includes(found.stage))
		return `${machineName} is ${found.state}: it is merged when it runs again`;
	const chain = await readChain(parts, options);
	if (chain.some(({ stand }) => stand !== 'target' && stand !== 'alone'))
		return `${machineName} has other disks than its targets`;
	const isMerged = chain.every(({ stand }) => stand === 'alone');
	// Before it is asked: with the first that is merged the placeholders are nobody's.
	await records.change(definition, paths, { mergeAsked: true });
	await settings.driver.ask(
		'remove-checkpoint',
		{
			recoveryId: definition.recoveryId,
			disks: disksAs(await diskFiles(parts), chain),
			kept: definition.disks.map(disk => windows.kept(disk)),
			directory: windows.directory,
		},
		options,
	);
	if (isMerged) await records.change(definition, paths, { merged: true });
	return undefined;
}

function disksAs(files: readonly DiskFiles[], chain: readonly { stand: Stand }[]): RequestOf<'start'>['disks'] {
	return files.map(({ overlay, filled, awaited }, at) =>
		chain[at]?.stand === 'alone' ? { leaf: filled, parent: null, awaited } : { leaf: overlay, parent: filled, awaited },
	);
}

/** Those that stand on their targets in two files; undefined when one stands otherwise. */
async function disksToMerge(parts: MachineParts, options: CallOptions): Promise<MachineDisk[] | undefined> {
	const stands = (await readChain(parts, options)).map(({ stand }) => stand);
	if (stands.some(stand => stand !== 'target' && stand !== 'alone')) return undefined;
	return parts.definition.disks.filter((_disk, at) => stands[at] === 'target');
}

/** In two files its disks are right as well: what keeps them from being merged keeps no machine off. */
export async function settleIfPossible(parts: MachineParts, found: Found, options: CallOptions): Promise<void> {
	try {
		parts.seen.notMerged = await settle(parts, found, options);
	} catch (error) {
		options.signal?.throwIfAborted();
		parts.seen.notMerged = asRouseError(error).message;
		await linkAnew(parts);
	}
}

/**
 * What a merge has left that failed half-way can be started once its overlay is linked to the target anew; what was merged
 * already has none. Afterwards each disk can be looked at again.
 */
async function linkAnew(parts: MachineParts): Promise<void> {
	const { definition, paths, seen } = parts;
	const { mergeBegun } = await records.of(definition, paths);
	if (!mergeBegun) return;
	try {
		for (const disk of definition.disks) await linkUnlessMerged(parts, disk);
		await records.change(definition, paths, { mergeBegun: false });
	} catch (error) {
		seen.notMerged = `${seen.notMerged}; and it cannot be started on two files: ${asRouseError(error).message}`;
	}
}

async function linkUnlessMerged(parts: MachineParts, disk: MachineDisk): Promise<void> {
	try {
		await putOverlay(parts, disk, 'target', { anew: true });
	} catch (error) {
		if (asRouseError(error).details?.['driver'] !== 'chain_unexpected') throw error;
	}
}
