import { unreadable } from '../volume.ts';
import type { XfsGeometry } from './super-block.ts';

export interface Name {
	name: string;
	inode: number;
}

/** XFS Algorithms & Data Structures, "Shortform Directories": in the inode itself. */
export function* namesInInode(fork: Buffer, { hasTypes }: XfsGeometry): Generator<Name> {
	if (fork.length < 2) throw damaged();
	const count = fork.readUInt8(0);
	const numberBytes = fork.readUInt8(1) > 0 ? 8 : 4;
	let at = 2 + numberBytes;
	for (let index = 0; index < count; index++) {
		const nameBytes = at < fork.length ? fork.readUInt8(at) : 0;
		const number = at + 3 + nameBytes + (hasTypes ? 1 : 0);
		if (nameBytes === 0 || number + numberBytes > fork.length) throw damaged();
		yield { name: fork.toString('utf8', at + 3, at + 3 + nameBytes), inode: numberAt(fork, number, numberBytes) };
		at = number + numberBytes;
	}
}

const unused = 0xffff;

/** "Block Directories", "Leaf Directories": one block with data. One that is a hole has no names. */
export function* namesInBlock(block: Buffer, { hasTypes, isV5 }: XfsGeometry): Generator<Name> {
	const magic = block.toString('latin1', 0, 4);
	if (magic === '\0\0\0\0') return;
	const isAlone = magic === (isV5 ? 'XDB3' : 'XD2B');
	if (!isAlone && magic !== (isV5 ? 'XDD3' : 'XD2D')) throw damaged();
	// A directory of one block has its index behind the names, and how long that is at the end.
	const end = isAlone ? block.length - 8 - block.readUInt32BE(block.length - 8) * 8 : block.length;
	const start = isV5 ? 64 : 16;
	if (end < start) throw damaged();
	for (let at = start; at < end; ) {
		if (at + 8 > end) throw damaged();
		if (block.readUInt16BE(at) === unused) {
			const lengthBytes = block.readUInt16BE(at + 2);
			if (lengthBytes < 8 || lengthBytes % 8 !== 0) throw damaged();
			at += lengthBytes;
			continue;
		}
		const nameBytes = at + 9 <= end ? block.readUInt8(at + 8) : 0;
		const lengthBytes = Math.ceil((8 + 1 + nameBytes + (hasTypes ? 1 : 0) + 2) / 8) * 8;
		if (nameBytes === 0 || at + lengthBytes > end) throw damaged();
		const name = block.toString('utf8', at + 9, at + 9 + nameBytes);
		if (name !== '.' && name !== '..') yield { name, inode: numberAt(block, at, 8) };
		at += lengthBytes;
	}
}

function numberAt(bytes: Buffer, at: number, length: number): number {
	return length === 4 ? bytes.readUInt32BE(at) : Number(bytes.readBigUInt64BE(at));
}

function damaged() {
	return unreadable('a directory of XFS is damaged');
}
