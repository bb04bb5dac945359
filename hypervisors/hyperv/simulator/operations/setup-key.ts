import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AnswerOf, RequestOf } from '../../driver/requests.ts';
import { replaceFileDurably } from '../../../../system/durable-file.ts';
import { readIfThere } from '../../../../system/if-there.ts';
import type { HostParts } from '../parts.ts';
import { administratorsKeys } from '../windows-paths.ts';
import { setupName } from './find-appliance.ts';

export async function putKey(
	{ root }: HostParts,
	{ setupId, line }: RequestOf<'put-key'>,
): Promise<AnswerOf<'put-key'>> {
	const lines = await linesIn(root);
	if (lines.includes(line)) return { made: false };
	await write(root, [...lines.filter(isOf(setupId, false)), line]);
	return { made: true };
}

export async function removeKey(
	{ root }: HostParts,
	{ setupId }: RequestOf<'remove-key'>,
): Promise<AnswerOf<'remove-key'>> {
	const lines = await linesIn(root);
	if (!lines.some(isOf(setupId, true))) return { removed: false };
	await write(root, lines.filter(isOf(setupId, false)));
	return { removed: true };
}

function isOf(setupId: string, wanted: boolean): (line: string) => boolean {
	return line => line.endsWith(` ${setupName(setupId)}`) === wanted;
}

async function linesIn(root: string): Promise<string[]> {
	const text = (await readIfThere(administratorsKeys(root))) ?? '';
	return text.split(/\r?\n/).filter(line => line !== '');
}

async function write(root: string, lines: readonly string[]): Promise<void> {
	const path = administratorsKeys(root);
	await mkdir(dirname(path), { recursive: true });
	if (lines.length === 0) await rm(path, { force: true });
	else await replaceFileDurably(path, `${lines.join('\r\n')}\r\n`);
}
