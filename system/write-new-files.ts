import { chmod } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { replaceFileDurably, syncDirectory } from './durable-file.ts';
import { makeFolders } from './make-folders.ts';

export interface NewFile {
	/** From the directory that they are for. */
	path: string;
	text: string;
}

/** One after the other, each durable with the folders that it needed. Of these modes whatever the process's mask is. */
export async function writeNewFiles(
	directory: string,
	files: readonly NewFile[],
	mode: { file: number; folder: number },
): Promise<void> {
	for (const { path, text } of files) await writeNewFile(join(directory, path), text, mode);
}

async function writeNewFile(path: string, text: string, mode: { file: number; folder: number }): Promise<void> {
	const made = await makeFolders(dirname(path), mode.folder);
	if (made !== undefined)
		for (let folder = dirname(path); folder.startsWith(made); folder = dirname(folder)) {
			await chmod(folder, mode.folder);
			await syncDirectory(dirname(folder));
		}
	await replaceFileDurably(path, text, mode.file);
	await chmod(path, mode.file);
}
