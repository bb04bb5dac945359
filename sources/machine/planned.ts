import { isDeepStrictEqual } from 'node:util';
import { RouseError } from '../../model/errors.ts';
import type { BeginOrder, DescribedDisk } from './documents.ts';

type Disk = Pick<DescribedDisk, 'key' | 'sizeBytes'>;

/** Throws `source_changed` when the machine has others than the disks that an import was planned for. */
export function mustBePlanned(disks: readonly Disk[], { described }: Pick<BeginOrder, 'described'>): void {
	const facts = ({ key, sizeBytes }: Disk) => ({ key, sizeBytes });
	if (isDeepStrictEqual(disks.map(facts), described.disks.map(facts))) return;
	throw new RouseError('source_changed', `the disks of ${described.name} are not those that were planned any more`, {
		hint: 'begin anew',
	});
}
