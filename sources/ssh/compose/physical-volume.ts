/** A physical volume as it was before its snapshots: its label, its metadata of that time, and the volumes on it as the snapshots have them. */
import { areaHeaderBytes, makeAreaHeader, type MetadataArea, piecesOf } from '../../../inspection/lvm/metadata-area.ts';
import { RouseError } from '../../../model/errors.ts';
import type { Group } from '../lvm/group.ts';
import { fillGaps, movedBy, type Origin, type Part, zeros } from './parts.ts';

/** The text of an area as it was captured. */
export interface CapturedArea {
	area: MetadataArea;
	/** Null where the area had none. */
	text: Buffer | null;
}

/** What stands for a volume: its snapshot; of swap space the header alone. */
export interface VolumeOrigin {
	path: string;
	/** What of it is read; behind that are zeros. */
	lengthBytes: number;
	live: boolean;
}

export interface PhysicalPlan {
	sizeBytes: number;
	/** As its label has it. */
	id: string;
	areas: readonly CapturedArea[];
	/** Undefined for one that is in no group. */
	group: Group | undefined;
	/** By the volume's name in its group. */
	volumes: ReadonlyMap<string, VolumeOrigin>;
}

/**
 * `live` is the volume itself, from which label and what else lies around data and metadata are read. What no volume has is zeros:
 * nobody needs it, and snapshots keep there what was overwritten. So is what metadata areas have beside the text that counts.
 */
export function composePhysical(plan: PhysicalPlan, live: { path: string; atBytes: number }): Part[] {
	const { sizeBytes, areas, group } = plan;
	const parts = areas.flatMap(areaParts);
	const member = group?.members.find(({ id }) => id === plan.id);
	if (group !== undefined && member === undefined)
		throw new RouseError(
			'source_invalid',
			`the metadata of LVM group ${group.name} does not know one of its own disks`,
		);
	if (group !== undefined && member !== undefined) {
		const pieces = group.volumes.flatMap(({ name, segments }) => {
			const origin = plan.volumes.get(name);
			if (origin === undefined)
				throw new RouseError(
					'source_invalid',
					`LVM there does not show volume ${group.name}/${name}, which lies on its disks`,
				);
			return segments
				.filter(({ memberId }) => memberId === member.id)
				.flatMap(({ fromExtent, extents, memberExtent }) =>
					movedBy(
						slice(origin, fromExtent * group.extentBytes, extents * group.extentBytes),
						memberExtent * group.extentBytes,
					),
				);
		});
		const dataBytes = member.extents * group.extentBytes;
		parts.push(...movedBy(fillGaps(dataBytes, pieces, zerosBetween), member.startBytes));
	}
	return fillGaps(sizeBytes, parts, (offsetBytes, lengthBytes) => [
		{
			offsetBytes,
			lengthBytes,
			from: { kind: 'device', path: live.path, atBytes: live.atBytes + offsetBytes, live: true },
		},
	]);
}

/** A part of a volume, from 0 on. */
function slice({ path, lengthBytes: known, live }: VolumeOrigin, atBytes: number, lengthBytes: number): Part[] {
	const read = Math.max(0, Math.min(lengthBytes, known - atBytes));
	const from: Origin = { kind: 'device', path, atBytes, live };
	return [
		...(read > 0 ? [{ offsetBytes: 0, lengthBytes: read, from }] : []),
		...(read < lengthBytes ? [{ offsetBytes: read, lengthBytes: lengthBytes - read, from: zeros }] : []),
	];
}

function areaParts({ area, text }: CapturedArea): Part[] {
	const header = makeAreaHeader(text === null ? { ...area, text: undefined } : area);
	const parts: Part[] = [part(0, header)];
	let taken = 0;
	if (text !== null)
		for (const { atBytes, lengthBytes } of piecesOf(area)) {
			parts.push(part(atBytes - area.atBytes, text.subarray(taken, taken + lengthBytes)));
			taken += lengthBytes;
		}
	if (area.sizeBytes < areaHeaderBytes) throw new RouseError('source_invalid', 'a metadata area of LVM is too small');
	return movedBy(fillGaps(area.sizeBytes, parts, zerosBetween), area.atBytes);
}

function part(offsetBytes: number, bytes: Buffer): Part {
	return { offsetBytes, lengthBytes: bytes.length, from: { kind: 'bytes', bytes } };
}

function zerosBetween(offsetBytes: number, lengthBytes: number): Part[] {
	return [{ offsetBytes, lengthBytes, from: zeros }];
}
