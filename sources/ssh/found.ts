/** Moments that are on a machine already. */
import type { Claim } from '../machine/documents.ts';
import type { ReportedVolume } from './facts/lvm-reports.ts';
import { markedIn, type MarkedVolume, readRecord } from './marks.ts';
import { momentLost } from './moment-lost.ts';
import { type MomentRecord, recordSchema, type SshState } from './state.ts';

/** The complete moment of a tag, whose snapshots can all be read. */
export function foundMoment(
	volumes: readonly ReportedVolume[],
	{ tag, owner }: Pick<Claim, 'tag' | 'owner'>,
): MomentRecord | undefined {
	const marked = markedIn(volumes).filter(one => one.tag === tag && one.owner === owner);
	for (const { volume, set } of marked) {
		const record = recordSchema.safeParse(readRecord(volume.lv_tags, set));
		if (record.success && whatIsLost(marked, record.data.state) === undefined) return record.data;
	}
	return undefined;
}

/** Throws `moment_lost` when one of its snapshots is gone, another one, or full. */
export function mustBeThere(volumes: readonly ReportedVolume[], state: SshState): void {
	const lost = whatIsLost(markedIn(volumes), state);
	if (lost !== undefined) throw momentLost(lost);
}

function whatIsLost(marked: readonly MarkedVolume[], { snapshots }: SshState): string | undefined {
	for (const { group, name, uuid } of snapshots) {
		const found = marked.find(one => one.group === group && one.name === name);
		if (found?.uuid !== uuid) return `snapshot ${group}/${name} is not there any more`;
		if (!found.isWhole)
			return `snapshot ${group}/${name} has no room left for what was overwritten (${found.volume.snap_percent ?? '?'} %)`;
	}
	return undefined;
}
