import type { FileNode, FileSystem } from '../file-node.ts';
import type { Volume } from '../volume.ts';
import { readBootSector } from './boot-sector.ts';
import { namesOf } from './directory.ts';
import { dataOf, MasterTable, sizeOf } from './record.ts';

const rootRecord = 5;

/**
 * NTFS as it lies there: what is in its log alone is not seen. Reparse points are not followed. Undefined for a volume that
 * has none; throws `source_invalid` for one that is damaged.
 */
export async function openNtfs(volume: Volume): Promise<FileSystem | undefined> {
	const geometry = await readBootSector(volume);
	if (geometry === undefined) return undefined;
	const table = await MasterTable.open(volume, geometry);
	const open = async (number: number): Promise<FileNode> => {
		const record = await table.record(number);
		const data = dataOf(record.attributes);
		const sizeBytes = sizeOf(data);
		return {
			kind: record.isDirectory ? 'directory' : 'file',
			// Of what cannot be read, it is told then.
			sizeBytes: Number.isNaN(sizeBytes) ? 0 : sizeBytes,
			content: fromBytes => table.contentOf(data, fromBytes),
			async *entries() {
				if (!record.isDirectory) return;
				for await (const { name, record: other } of namesOf(table, record, geometry.indexBytes))
					if (other !== rootRecord) yield { name, open: () => open(other) };
			},
		};
	};
	return { kind: 'ntfs', ignoresCase: true, root: () => open(rootRecord) };
}
