/** Where guest writes go: a differencing disk over each file of the volume, and later over each target. */
import { asRouseError, RouseError } from '../../model/errors.ts';
import type { CallOptions, MachineDisk } from '../contract.ts';
import { expectStand, readChain } from './chain.ts';
import { diskFiles } from './disk-files.ts';
import { diskHardware } from './hardware.ts';
import type { Call, MachineParts } from './parts.ts';
import { records, targetIds } from './record.ts';
import { detachTargets, releaseTargets } from './targets.ts';
import { checkServed } from './volume.ts';
import { whileServed } from './while-served.ts';

/** See `Machine.snapshot`. One that is on record holds guest writes: none is made in its place. */
export async function takeSnapshot(call: Call): Promise<void> {
	const { parts, gate, options } = call;
	const { definition, paths } = parts;
	const { snapshotMade } = await records.of(definition, paths);
	const stand = () => expectStand(parts, ['base', 'target', 'alone'], options);
	if (snapshotMade) return gate.pass(() => whileServed(call, stand), options);
	await gate.pass(async () => {
		await checkServed(parts, options);
		const make = parts.hardware.overlay === 'child' ? makeOverlays : makeCheckpoint;
		await whileServed(call, () => make(parts, options));
	}, options);
	// Nothing is started before, so that until here none of them holds a write.
	await records.change(definition, paths, { snapshotMade: true });
}

async function makeOverlays(parts: MachineParts, options: CallOptions): Promise<void> {
	const { settings, definition, paths } = parts;
	const ids = await targetIds(definition, paths);
	for (const [at, disk] of definition.disks.entries())
		await settings.driver.ask(
			'make-overlay',
			{
				recoveryId: definition.recoveryId,
				path: paths.windows.overlay(disk),
				parent: paths.windows.baseFile(disk),
				parentId: ids[at] ?? '',
				slot: diskHardware(parts, disk).slot,
			},
			options,
		);
}

/** Over the placeholders, which are empty; then onto the volume, whose files have the ids of these. */
async function makeCheckpoint(parts: MachineParts, options: CallOptions): Promise<void> {
	const { settings, definition, paths } = parts;
	const { windows } = paths;
	const ids = await targetIds(definition, paths);
	const disks = definition.disks.map((disk, at) => ({
		placeholder: windows.place(disk),
		base: windows.baseFile(disk),
		placeholderId: ids[at] ?? '',
		slot: diskHardware(parts, disk).slot,
	}));
	const { recoveryId } = definition;
	const { overlays } = await settings.driver.ask('make-checkpoint', { recoveryId, disks }, options);
	await records.change(definition, paths, { overlays });
	for (const disk of definition.disks) await putOverlay(parts, disk, 'base', { idsMayDiffer: false });
}

/** Throws `phase_wrong` where a start would be one without a snapshot. */
export async function mustBeSnapshot({ definition, paths }: MachineParts): Promise<void> {
	const { snapshotMade } = await records.of(definition, paths);
	if (!snapshotMade)
		throw new RouseError('phase_wrong', `${definition.machineName} has no snapshot: its guest has nowhere to write`);
}

/** The machine is off or saved. A switch that was cut short may have left it on the one or the other. */
export async function putOverlay(
	parts: MachineParts,
	disk: MachineDisk,
	on: 'base' | 'target',
	{ anew = false, idsMayDiffer = true }: { anew?: boolean; idsMayDiffer?: boolean } = {},
): Promise<void> {
	const { settings, definition, paths } = parts;
	const at = definition.disks.indexOf(disk);
	const { overlay = '', base = '', filled = '', awaited = null } = (await diskFiles(parts))[at] ?? {};
	const ids = await targetIds(definition, paths);
	await settings.driver.ask('reparent', {
		recoveryId: definition.recoveryId,
		overlay,
		from: [base, filled],
		parent: on === 'base' ? base : filled,
		awaited: on === 'base' ? null : awaited,
		// The file on the volume has the target's.
		parentId: ids[at] ?? '',
		anew,
		idsMayDiffer,
	});
}

/** The machine is off or saved. Windows reads what they stand on, and what they are to stand on. */
export async function putOverlays(call: Call, on: 'base' | 'target'): Promise<void> {
	const { parts, gate, options } = call;
	const put = async () => {
		for (const disk of parts.definition.disks) {
			options.signal?.throwIfAborted();
			await putOverlay(parts, disk, on);
		}
	};
	await gate.pass(() => (on === 'base' ? whileServed(call, put) : put()), options);
}

/**
 * The machine stands on its targets, and is off or saved. What a supervisor that is dead had asked for the host may have done
 * after that: attached a target to the appliance, or put an overlay back onto the volume.
 */
export async function keepOnTargets(parts: MachineParts, options: CallOptions): Promise<void> {
	const { merged } = await records.of(parts.definition, parts.paths);
	// Its disks are one file each, wherever its owner has put them.
	if (merged) return detachTargets(parts);
	await releaseTargets(parts);
	for (const disk of await disksAstray(parts, options)) {
		try {
			await putOverlay(parts, disk, 'target');
		} catch (error) {
			// It is merged, or its owner has made something else of it.
			if (asRouseError(error).details?.['driver'] !== 'chain_unexpected') throw error;
		}
	}
}

/** Those on the volume. Where that is gone the host cannot read what stands on it: then each may be. */
async function disksAstray(parts: MachineParts, options: CallOptions): Promise<readonly MachineDisk[]> {
	const { disks } = parts.definition;
	try {
		const chain = await readChain(parts, options);
		return disks.filter((_disk, at) => chain[at]?.stand === 'base');
	} catch {
		options.signal?.throwIfAborted();
		return disks;
	}
}
