import type { Chain } from '../../model/recovery.ts';
import type { MachineDisk } from '../contract.ts';
import type { MachinePaths } from './paths.ts';

/** A block node as `-blockdev` and `blockdev-add` take it: qapi/block-core.json, BlockdevOptions. */
export type BlockNode = Record<string, unknown> & { 'node-name': string };

/** Names of a disk's nodes; the same whatever way the machine came to its chain. */
export function nodeNames(index: number) {
	return {
		/** The device, `/machine/peripheral/vdN`. */
		device: `vd${index}`,
		/** Chains mover and local: the guest's root. */
		top: `top${index}`,
		overlayFile: `ovf${index}`,
		/** Chain mover: what the overlay reads through to. */
		mover: `nbd${index}`,
		now: `now${index}`,
		wait: `wait${index}`,
		/** The target; the guest's root on chain target. */
		local: `local${index}`,
		localFile: `local${index}f`,
		commitJob: `commit${index}`,
	};
}

/** Where a disk's nodes find what they stand on. */
export interface DiskPlace {
	index: number;
	disk: MachineDisk;
	targetPath: string;
	overlayPath: string;
	nbdSocket: string;
	/** QEMU has the quorum driver. */
	quorum: boolean;
}

/**
 * The nodes to be made for one disk at start, in the order in which they stand on each other, and the one that becomes
 * the guest's root.
 */
export function nodesOf(chain: Chain, place: DiskPlace): { nodes: BlockNode[]; root: string } {
	const { index, targetPath } = place;
	const { top, mover, local } = nodeNames(index);
	if (chain === 'target') return { nodes: [localNode(index, targetPath, { readOnly: false })], root: local };
	const [below, backing] =
		chain === 'mover' ? [moverNodes(place), mover] : [[localNode(index, targetPath, { readOnly: true })], local];
	return { nodes: [...below, ...overlayNodes(place, backing)], root: top };
}

/**
 * Seconds; the largest that is accepted, 136 years. After it pending reads would get EIO and the guest's file system
 * would see them.
 */
const reconnectForEver = 4294967295;

function moverNodes({ index, disk, nbdSocket, quorum }: DiskPlace): BlockNode[] {
	const names = nodeNames(index);
	const connection = (name: string, exportName: string): BlockNode => ({
		driver: 'nbd',
		'node-name': name,
		server: { type: 'unix', path: nbdSocket },
		export: exportName,
		'reconnect-delay': reconnectForEver,
		'open-timeout': 30,
		'read-only': true,
	});
	if (!quorum) return [connection(names.mover, disk.exports.wait)];
	// QEMU's NBD client has 16 request slots a connection: 16 cold reads on a single one would hold up every local read.
	// `fifo` asks `now` first, and `wait` only for what `now` refuses.
	return [
		connection(names.now, disk.exports.now),
		connection(names.wait, disk.exports.wait),
		{
			driver: 'quorum',
			'node-name': names.mover,
			'vote-threshold': 1,
			'read-pattern': 'fifo',
			'read-only': true,
			children: [names.now, names.wait],
		},
	];
}

function overlayNodes({ index, overlayPath }: DiskPlace, backing: string): BlockNode[] {
	const names = nodeNames(index);
	return [
		{ driver: 'file', 'node-name': names.overlayFile, filename: overlayPath, discard: 'unmap' },
		overlayNode(index, backing),
	];
}

/** Complete, since `blockdev-reopen` puts every option that is left out back to its default. */
export function overlayNode(index: number, backing: string): BlockNode {
	const names = nodeNames(index);
	return { driver: 'qcow2', 'node-name': names.top, file: names.overlayFile, backing, discard: 'unmap' };
}

/**
 * The target. The inner node says nothing of read-only and so follows the outer one: set on it, block-commit could not
 * make the target writable ("Block node is read-only", QEMU 7.2).
 */
export function localNode(index: number, targetPath: string, { readOnly }: { readOnly: boolean }): BlockNode {
	const names = nodeNames(index);
	return {
		driver: 'raw',
		'node-name': names.local,
		'read-only': readOnly,
		discard: 'unmap',
		file: { driver: 'file', 'node-name': names.localFile, filename: targetPath, discard: 'unmap' },
	};
}

/** The whole chain local of one disk as one file name, for `qemu-img`: what the overlay has on record is the mover. */
export function localChainUri(disk: MachineDisk, paths: MachinePaths): string {
	return `json:${JSON.stringify({
		driver: 'qcow2',
		discard: 'unmap',
		file: { driver: 'file', filename: paths.overlay(disk), discard: 'unmap' },
		backing: {
			driver: 'raw',
			discard: 'unmap',
			file: { driver: 'file', filename: paths.target(disk), discard: 'unmap' },
		},
	})}`;
}
