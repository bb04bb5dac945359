import { isDeepStrictEqual } from 'node:util';
import { RouseError } from '../../model/errors.ts';
import type { BeginOrder, DescribedDisk } from './documents.ts';

/** Throws `source_changed` when the machine has others than the disks that an import was planned for. */
export function mustBePlanned(disks: readonly DescribedDisk[], { described }: Pick<BeginOrder, 'described'>): void {
	const facts = ({ key, sizeBytes }: DescribedDisk) => ({ key, sizeBytes });
	if (isDeepStrictEqual(disks.map(facts), described.disks.map(facts))) return;
	throw new RouseError('source_changed', 'the machine has not the disks any more that were planned');
}
