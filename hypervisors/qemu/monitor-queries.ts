/** The answers of QEMU that are used, and no more of each than is used: qapi/run-state.json, block.json, job.json. */
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import type { MachineDefinition } from '../contract.ts';
import { nodeNames } from './block-nodes.ts';
import { type ExecuteOptions, type Qmp, query } from '../../qmp/client.ts';

const statusSchema = z.object({ running: z.boolean(), status: z.string() });
export type RunState = z.infer<typeof statusSchema>;

export function queryStatus(qmp: Qmp, options?: ExecuteOptions): Promise<RunState> {
	return query(qmp, 'query-status', statusSchema, undefined, options);
}

const uuidSchema = z.object({ UUID: z.string() });

export async function queryUuid(qmp: Qmp, options?: ExecuteOptions): Promise<string> {
	return (await query(qmp, 'query-uuid', uuidSchema, undefined, options)).UUID;
}

const blocksSchema = z.array(
	z.object({
		qdev: z.string().optional(),
		'io-status': z.enum(['ok', 'failed', 'nospace']).optional(),
		inserted: z.object({ 'node-name': z.string().optional() }).optional(),
	}),
);

export interface GuestDisk {
	/** The node that the guest writes to; filters that QEMU inserts for a job are left out. */
	root: string | undefined;
	ioStatus: 'ok' | 'failed' | 'nospace';
}

/** By index of the disk. */
export async function queryDisks(qmp: Qmp, options?: ExecuteOptions): Promise<Map<number, GuestDisk>> {
	const disks = new Map<number, GuestDisk>();
	for (const block of await query(qmp, 'query-block', blocksSchema, undefined, options)) {
		const index = diskOfDevice(block.qdev);
		if (index === undefined) continue;
		disks.set(index, { root: block.inserted?.['node-name'], ioStatus: block['io-status'] ?? 'ok' });
	}
	return disks;
}

const kvmSchema = z.object({ enabled: z.boolean() });

/** Whether the guest runs under KVM. */
export async function queryKvm(qmp: Qmp, options?: ExecuteOptions): Promise<boolean> {
	return (await query(qmp, 'query-kvm', kvmSchema, undefined, options)).enabled;
}

const statsSchema = z.array(
	z.object({
		qdev: z.string().optional(),
		stats: z.object({
			rd_operations: z.int(),
			wr_operations: z.int(),
			failed_wr_operations: z.int(),
			unmap_operations: z.int(),
			failed_unmap_operations: z.int(),
		}),
	}),
);

/** What the guest has asked of a disk since QEMU started; writes and discards whether they succeeded or not. */
export interface DiskUse {
	reads: number;
	changes: number;
}

/** By index of the disk. */
export async function queryDiskUse(qmp: Qmp, options?: ExecuteOptions): Promise<Map<number, DiskUse>> {
	const uses = new Map<number, DiskUse>();
	for (const { qdev, stats } of await query(qmp, 'query-blockstats', statsSchema, undefined, options)) {
		const index = diskOfDevice(qdev);
		if (index === undefined) continue;
		const { wr_operations, failed_wr_operations, unmap_operations, failed_unmap_operations } = stats;
		const changes = wr_operations + failed_wr_operations + unmap_operations + failed_unmap_operations;
		uses.set(index, { reads: stats.rd_operations, changes });
	}
	return uses;
}

/** From `vd0` (SATA) or `/machine/peripheral/vd0/virtio-backend` (virtio): see {@link nodeNames}. */
export function diskOfDevice(device: unknown): number | undefined {
	const match = typeof device === 'string' ? /(?:^|\/)vd(\d+)(?:\/|$)/.exec(device) : undefined;
	return match ? Number(match[1]) : undefined;
}

const nodesSchema = z.array(z.object({ 'node-name': z.string().optional() }));

export async function queryNodes(qmp: Qmp): Promise<Set<string>> {
	const nodes = await query(qmp, 'query-named-block-nodes', nodesSchema, { flat: true });
	return new Set(nodes.flatMap(node => node['node-name'] ?? []));
}

/** Where the guest's disks stand: on the overlay still, or on the target. */
export async function disksOnOverlay(qmp: Qmp, definition: MachineDefinition): Promise<number[]> {
	const disks = await queryDisks(qmp);
	return definition.disks.flatMap((disk, index) => {
		const { top, local } = nodeNames(index);
		const root = disks.get(index)?.root;
		if (root === top) return [index];
		if (root === local) return [];
		throw new RouseError('machine_failed', `${disk.name} of ${definition.machineName} stands on ${root ?? 'nothing'}`, {
			hint: 'somebody changed its block devices through the monitor; power it off and on again',
		});
	});
}

const exportsSchema = z.array(z.object({ id: z.string() }));

export async function queryExports(qmp: Qmp): Promise<string[]> {
	return (await query(qmp, 'query-block-exports', exportsSchema)).map(({ id }) => id);
}
