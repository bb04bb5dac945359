import { basename, extname } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { bytesAt, type OpenedFile } from './opened-file.ts';
import { otherFileBytes, otherFileOf } from './other-file.ts';
import { hasOldFooter, vhdFooter } from './vhd-footer.ts';

/** Names as people write them, and QEMU's. */
export const imageFormats = { raw: 'raw', qcow2: 'qcow2', vmdk: 'vmdk', vhdx: 'vhdx', vhd: 'vpc', vdi: 'vdi' } as const;
export type ImageFormat = keyof typeof imageFormats;

/** A file name that ends like this promises a container; what is none then has lost its end, or has a wrong name. */
const promisedBy: Readonly<Record<string, ImageFormat>> = {
	'.qcow2': 'qcow2',
	'.vmdk': 'vmdk',
	'.vhdx': 'vhdx',
	'.vhd': 'vhd',
	'.avhdx': 'vhdx',
	'.avhd': 'vhd',
	'.vdi': 'vdi',
};

/** How containers begin, beside those that {@link contentOf} knows by more; as QEMU's block drivers probe them. */
const beginnings: readonly [string, string][] = [
	['vhdxfile', 'vhdx'],
	['KDMV', 'vmdk'],
	['COWD', 'vmdk'],
	['QED\0', 'qed'],
	['WithoutFreeSpace', 'parallels'],
	['WithouFreSpacExt', 'parallels'],
	['Bochs Virtual HD Image', 'bochs'],
	['#!/bin/sh\n#V2.0 Format\n', 'cloop'],
];
const vdiSignature = 0xbeda107f;

/**
 * The format of an image. `said` is what the person said; without it the content decides. `raw` that was said is obeyed
 * whatever the content looks like, since a guest can write anything onto its disk.
 */
export async function formatOf(file: OpenedFile, said: ImageFormat | undefined): Promise<ImageFormat> {
	if (said === 'raw') return said;
	const { path } = file;
	const content = await contentOf(file);
	const found = nameOf(content);
	if (content === 'raw') {
		await refuseOldFooter(file);
		await refuseOtherFile(file);
	}
	if (said !== undefined) return agreed(path, said, content);
	if (found === undefined)
		throw new RouseError('source_invalid', `${path} looks like "${content}", which is not among the known formats`, {
			hint: `accepted: ${Object.keys(imageFormats).join(', ')}; say --format raw if it is the disk itself`,
		});
	const promised = promisedBy[extname(path).toLowerCase()];
	if (found === 'raw' && /-f\d+\.vmdk$/i.test(path))
		throw new RouseError('source_invalid', `${path} is one part of a split VMDK`, {
			hint: 'import its description, the small file beside it that names it',
		});
	if (found === 'raw' && promised !== undefined && !/-flat\.vmdk$/i.test(path))
		throw new RouseError(
			'source_invalid',
			`${path} is called ${extname(path)} but is no ${promised} image, or is cut short`,
			{ hint: 'copy it again; say --format raw if it is the disk itself' },
		);
	return found;
}

/** What would be stored as a disk, and is none. */
async function refuseOtherFile(file: OpenedFile): Promise<void> {
	const head = await bytesAt(file, 0, otherFileBytes);
	const other = otherFileOf(head, basename(file.path), head.length < otherFileBytes);
	if (other === undefined) return;
	throw new RouseError('source_invalid', `${file.path} is no disk: it is ${other.what}`, {
		hint: `${other.hint}; say --format raw if it is the disk itself`,
	});
}

/** One byte more makes the footer one that is read. */
async function refuseOldFooter(file: OpenedFile): Promise<void> {
	if (!(await hasOldFooter(file))) return;
	throw new RouseError('source_invalid', `${file.path} is a VHD with a footer of 511 bytes, as old programs wrote it`, {
		hint: 'on a copy of it: truncate --size=+1 FILE, and import that; say --format raw if it is the disk itself',
	});
}

/** By our name for QEMU's: `qcow2`, `vpc`. */
export function nameOf(qemuName: string): ImageFormat | undefined {
	for (const [name, value] of Object.entries(imageFormats)) if (value === qemuName) return name as ImageFormat; // its key
	return undefined;
}

function agreed(path: string, said: ImageFormat, content: string): ImageFormat {
	if (imageFormats[said] === content) return said;
	if (content === 'raw')
		throw new RouseError('source_invalid', `${path} is no ${said} image`, { hint: 'without --format it is detected' });
	const found = nameOf(content) ?? content;
	throw new RouseError('source_invalid', `${path} is ${found}, not ${said}`, { hint: `say --format ${found}` });
}

/** QEMU's name of the container that the content begins, or ends, like. */
async function contentOf(file: OpenedFile): Promise<string> {
	const head = await bytesAt(file, 0, 512);
	const text = head.toString('latin1');
	const known = beginnings.find(([beginning]) => text.startsWith(beginning));
	if (known) return known[1];
	if (text.startsWith('QFI\xfb') && head.length >= 8) return head.readUInt32BE(4) === 1 ? 'qcow' : 'qcow2';
	// A VMDK's descriptor: comments and blank lines, then its version.
	if (/^(?:(?:#[^\n]*| *\r?)\n)*version=[123]\r?\n/.test(text)) return 'vmdk';
	if (head.length >= 68 && head.readUInt32LE(64) === vdiSignature) return 'vdi';
	if (await vhdFooter(file)) return 'vpc';
	// Apple's disk images end with a block of their own.
	const end = await bytesAt(file, file.sizeBytes - 512, 4);
	return end.toString('latin1') === 'koly' ? 'dmg' : 'raw';
}
