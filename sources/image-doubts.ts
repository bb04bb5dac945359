/** What may be the disk, and may be something else: it is taken, and told. */
import type { ImageFormat } from './image-format.ts';
import { bytesAt, type OpenedFile } from './opened-file.ts';
import { parseQcow2Layout, qcow2LayoutBytes } from './qcow2-header.ts';
import { doubtsOfCheckpoints } from './vhdx-checkpoints.ts';
import { fixedDisk, vhdFooter, vhdFooterBytes } from './vhd-footer.ts';

/** How such a file begins: "LUKS1 On-Disk Format"; ECMA-119, section 8.4. */
const odd: readonly [atBytes: number, bytes: string, doubt: string][] = [
	[
		0,
		'LUKS\xba\xbe',
		'begins with a LUKS header, and is stored encrypted, as it is: right if its guest opens it; what QEMU encrypted must be decrypted first',
	],
	[32_769, 'CD001', 'is the image of an optical disc (ISO 9660): is it to be a disk of the machine?'],
];

interface Doubted {
	format: ImageFormat;
	/** What the person said of the format, which leaves no doubt of what it is. */
	said: ImageFormat | undefined;
	/** Whether the person named it, and not an image that lies on it. */
	isTop: boolean;
}

/** As sentences. */
export async function doubtsOf(file: OpenedFile, { format, said, isTop }: Doubted): Promise<string[]> {
	if (format === 'vhd') return await doubtsOfVhd(file);
	if (format === 'vhdx' && isTop) return await doubtsOfCheckpoints(file);
	if (format === 'qcow2') return await doubtsOfQcow2(file);
	if (format !== 'raw' || said !== undefined) return [];
	const doubts: string[] = [];
	for (const [atBytes, bytes, doubt] of odd)
		if ((await bytesAt(file, atBytes, bytes.length)).toString('latin1') === bytes) doubts.push(`${file.path} ${doubt}`);
	return doubts;
}

/** Its tables may have been put right since, and only the mark be left. */
async function doubtsOfQcow2(file: OpenedFile): Promise<string[]> {
	const header = await bytesAt(file, 0, qcow2LayoutBytes);
	if (header.length < qcow2LayoutBytes || !parseQcow2Layout(header).isCorrupt) return [];
	return [`${file.path} was marked as corrupt by QEMU, which found its tables wrong when its machine ran`];
}

/** Who makes a fixed one larger by hand, and not its footer, finds that nobody reads what was added. */
async function doubtsOfVhd(file: OpenedFile): Promise<string[]> {
	const { path, found, sizeBytes } = file;
	const footer = await vhdFooter(file);
	const thereBytes = sizeBytes - vhdFooterBytes;
	if (footer?.diskType !== fixedDisk || !found.isFile() || thereBytes <= footer.sizeBytes) return [];
	return [
		`${path} has ${thereBytes} bytes before its footer, which says that the disk has ${footer.sizeBytes}: what is behind them is not read`,
	];
}
