import { createHash } from 'node:crypto';
import { isSettled } from './file-state.ts';
import { filesOf, type ImageLayer } from './image-layers.ts';
import type { OpenedFile } from './opened-file.ts';

/**
 * Names the state of an image: whoever opens it again and finds the same name reads the same disk. Undefined where that cannot be
 * told: of a block device nothing says whether it was written.
 */
export function momentOf(layers: readonly ImageLayer[]): string | undefined {
	return momentOfFiles(layers.map(layer => ({ format: layer.format, files: filesOf(layer) })));
}

export function momentOfFiles(parts: readonly { format: string; files: readonly OpenedFile[] }[]): string | undefined {
	const all = parts.flatMap(({ files }) => files);
	if (!all.every(({ found, state }) => found.isFile() && isSettled(state))) return undefined;
	const told = parts.map(({ format, files }) => ({
		format,
		files: files.map(({ path, state: { inode, sizeBytes, writtenNs, changedNs } }) => ({
			path,
			numbers: [inode, sizeBytes, writtenNs, changedNs].map(String),
		})),
	}));
	return createHash('sha256').update(JSON.stringify(told)).digest('hex');
}
