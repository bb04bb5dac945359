import { asRouseError } from '../../model/errors.ts';
import type { CallOptions, MachineDisk } from '../contract.ts';
import type { MachineParts } from './parts.ts';
import { records } from './record.ts';

/** On the host, of one disk of a machine that is made. */
export interface DiskFiles {
	disk: MachineDisk;
	/** Empty: not made yet. */
	overlay: string;
	/** On the volume. */
	base: string;
	/** What the overlay gets for its parent in the switch. */
	filled: string;
	/** While it is there `filled` is an empty placeholder, and this the target. */
	awaited: string | null;
}

/** In the order of the machine's disks. */
export async function diskFiles({ definition, hardware, paths }: MachineParts): Promise<DiskFiles[]> {
	const { windows } = paths;
	const { overlays } = await records.of(definition, paths);
	return definition.disks.map((disk, at) => {
		const base = windows.baseFile(disk);
		return hardware.overlay === 'child'
			? { disk, base, overlay: windows.overlay(disk), filled: windows.target(disk), awaited: null }
			: { disk, base, overlay: overlays[at] ?? '', filled: windows.place(disk), awaited: windows.target(disk) };
	});
}

/** The targets take the places of their placeholders, or go back. MAY find it done. */
export async function putTargets(parts: MachineParts, to: 'place' | 'own', options: CallOptions = {}): Promise<void> {
	if (parts.hardware.overlay === 'child') return;
	for (const disk of parts.definition.disks) await putTarget(parts, disk, to, options);
}

/** Of a machine that is gone. One that cannot go back, since a file is missing, keeps none of the others. */
export async function putTargetsBack(parts: MachineParts, options: CallOptions): Promise<void> {
	if (parts.hardware.overlay === 'child') return;
	for (const disk of parts.definition.disks)
		try {
			await putTarget(parts, disk, 'own', options);
		} catch (error) {
			if (asRouseError(error).details?.['driver'] !== 'chain_unexpected') throw error;
		}
}

async function putTarget(
	{ settings, definition, paths }: MachineParts,
	disk: MachineDisk,
	to: 'place' | 'own',
	options: CallOptions,
): Promise<void> {
	const { recoveryId } = definition;
	const { windows } = paths;
	const { mergeAsked: merged } = await records.of(definition, paths);
	const files = { target: windows.target(disk), place: windows.place(disk), kept: windows.kept(disk) };
	await settings.driver.ask('put-target', { recoveryId, ...files, to, merged }, options);
}
