import { unreadable } from '../volume.ts';

/** Each 512 bytes of such a block end with a number that changes with every write; what belongs there is in its head. */
const strideBytes = 512;

/**
 * The block as it is meant, checked against a write that was cut. https://flatcap.github.io/linux-ntfs/ntfs/concepts/fixup.html
 */
export function protectedBlock(stored: Buffer, magic: string): Buffer {
	const block = Buffer.from(stored);
	const at = block.readUInt16LE(4);
	const count = block.readUInt16LE(6);
	if (
		block.toString('latin1', 0, 4) !== magic ||
		count !== block.length / strideBytes + 1 ||
		at + count * 2 > strideBytes - 2
	)
		throw unreadable(`a block of NTFS (${magic}) is damaged`);
	const number = block.readUInt16LE(at);
	for (let index = 1; index < count; index++) {
		const end = index * strideBytes - 2;
		if (block.readUInt16LE(end) !== number) throw unreadable(`a block of NTFS (${magic}) was not written whole`);
		block.writeUInt16LE(block.readUInt16LE(at + index * 2), end);
	}
	return block;
}
