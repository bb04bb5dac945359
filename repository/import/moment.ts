import { sha256Of } from '../format/sha256.ts';
import type { DiskSource } from './disk-source.ts';

/** Names the state of all disks of an import; null when that of one has no name: then nobody can go on with the import. */
export function importMoment(sources: readonly Pick<DiskSource, 'moment'>[]): string | null {
	const moments = sources.map(({ moment }) => moment);
	if (moments.includes(undefined)) return null;
	return sha256Of(Buffer.from(JSON.stringify(moments)));
}
