import type { Volume } from '../volume.ts';
import { readLabel } from './label.ts';
import { readArea, readText, textOf } from './metadata-area.ts';
import { type LvmSection, parseLvmText } from './text.ts';

export interface PhysicalVolume {
	volume: Volume;
	/** As metadata writes it, without the dashes. */
	id: string;
	/** Of the group it belongs to; undefined where it has none, or keeps none here. */
	metadata: LvmSection | undefined;
}

/** Undefined for a volume that is none; throws `source_invalid` for one that is damaged. */
export async function readPhysicalVolume(volume: Volume): Promise<PhysicalVolume | undefined> {
	const label = await readLabel(volume);
	return label && { volume, id: label.id, metadata: await metadataIn(volume, label.areas) };
}

/** That of the first area which has any. */
async function metadataIn(volume: Volume, areas: readonly number[]): Promise<LvmSection | undefined> {
	for (const at of areas) {
		const area = await readArea(volume, at);
		if (area.text !== undefined) return parseLvmText(textOf(await readText(volume, area)));
	}
	return undefined;
}
