/** A machine as it describes itself, in the words of machine sources. */
import { createHash } from 'node:crypto';
import { RouseError } from '../../model/errors.ts';
import {
	macSchema,
	maxCpus,
	maxNics,
	memoryLimitsMiB,
	sectorSizeSchema,
	type StatedSpec,
} from '../../model/machine.ts';
import type { DescribedDisk, SourceMachine } from '../machine/documents.ts';
import type { Block } from './facts/blocks.ts';
import type { FarFacts } from './facts/facts.ts';

/** A disk, by what it was described as. */
export interface FarDisk {
	key: string;
	block: Block;
}

const noUuid = new Set([
	'00000000-0000-0000-0000-000000000000',
	'ffffffff-ffff-ffff-ffff-ffffffffffff',
	// What boards have whose maker has not set any.
	'03000200-0400-0500-0006-000700080009',
	// The same, as kernels read it since SMBIOS 2.6.
	'00020003-0004-0005-0006-000700080009',
]);
const mostLeftOut = 32;

/**
 * By what its board and its system call themselves; a digest, since a machine's id is nobody else's business: machine-id(5). `source_invalid`
 * where neither tells.
 */
export function identityOf({ productUuid, machineId }: Pick<FarFacts, 'productUuid' | 'machineId'>): string {
	const board = productUuid?.toLowerCase() ?? '';
	// An image that was never started has another word there: machine-id(5).
	const ids = [noUuid.has(board) ? '' : board, /^[0-9a-f]{32}$/.test(machineId ?? '') ? machineId : ''];
	if (ids.every(id => id === ''))
		throw new RouseError('source_invalid', 'nothing tells this machine from another: it has no /etc/machine-id', {
			hint: 'systemd-machine-id-setup, there',
		});
	return createHash('sha256')
		.update(`rouse/ssh/${ids.join('/')}`)
		.digest('hex')
		.slice(0, 32);
}

export function describeMachine(facts: FarFacts, { uri, host }: { uri: string; host: string }): SourceMachine {
	const { hostname, vendor, product, kernel } = facts;
	const disks = disksOf(facts);
	if (disks.length === 0) throw new RouseError('source_invalid', `${host} has no disk that can be read`);
	const ids = { hostname, vendor, product, kernel };
	return {
		kind: 'ssh',
		uri,
		identity: identityOf(facts),
		name: hostname ?? host,
		ids: Object.fromEntries(Object.entries(ids).flatMap(([name, id]) => (id === null ? [] : [[name, id]]))),
		config: configOf(facts),
		disks: disks.map(describedDisk),
		leftOut: leftOutOf(facts),
	};
}

/** Those that are part of the machine, the one that it starts from first. */
export function disksOf({ blocks }: Pick<FarFacts, 'blocks'>): FarDisk[] {
	const disks = blocks.filter(block => whyLeftOut(block) === undefined && block.sizeBytes > 0);
	const names = disks.map(namesFor);
	const order = new Intl.Collator('en', { numeric: true });
	return disks
		.map((block, index) => ({ block, key: ownName(names, index) }))
		.toSorted((one, other) => rank(one.block) - rank(other.block) || order.compare(one.block.name, other.block.name));
}

/** Names of the storage itself, the surest first; in the end where it is attached. */
function namesFor({ wwn, serial, tableId, name }: Block): string[] {
	const known = [wwn && `wwn-${wwn}`, serial && `serial-${serial}`, tableId && `table-${tableId}`, `name-${name}`];
	return known.flatMap(one => (one && /^\P{C}{1,200}$/u.test(one) ? [one] : []));
}

/** The first that no other disk has. */
function ownName(names: readonly (readonly string[])[], index: number): string {
	const own = names[index] ?? [];
	const free = own.find(name => names.every((others, other) => other === index || !others.includes(name)));
	return free ?? own.at(-1) ?? '';
}

/** Where firmware, boot loader and system are. */
const bootPoints = ['/boot/efi', '/efi', '/boot', '/'];

function rank(block: Block): number {
	const points = everyBlock(block).flatMap(({ mountPoints }) => mountPoints);
	const found = bootPoints.findIndex(point => points.includes(point));
	return found < 0 ? bootPoints.length : found;
}

export function everyBlock(block: Block): Block[] {
	return [block, ...block.children.flatMap(everyBlock)];
}

function whyLeftOut({ type, name, isRemovable, children }: Block): string | undefined {
	if (type !== 'disk') return 'it is no disk';
	if (/^\/dev\/(zram|ram|fd|nbd)\d/.test(name)) return 'it is no disk of the machine itself';
	if (isRemovable) return 'it is removable';
	if (children.some(child => child.type === 'mpath')) return 'it is one of several ways to a disk';
	return undefined;
}

function leftOutOf({ blocks }: FarFacts): SourceMachine['leftOut'] {
	return blocks
		.filter(({ type, sizeBytes }) => type === 'disk' && sizeBytes > 0)
		.flatMap(block => {
			const why = whyLeftOut(block);
			return why === undefined ? [] : [{ what: block.name.slice(0, 100), why }];
		})
		.slice(0, mostLeftOut);
}

export function sizesOf(disks: readonly FarDisk[]): { key: string; sizeBytes: number }[] {
	return disks.map(({ key, block: { sizeBytes } }) => ({ key, sizeBytes }));
}

function describedDisk({ key, block }: FarDisk): DescribedDisk {
	const logical = sectorSizeSchema.safeParse(block.logicalSectorBytes);
	const physical = sectorSizeSchema.safeParse(block.physicalSectorBytes);
	const known = logical.success && physical.success;
	return {
		key,
		sizeBytes: block.sizeBytes,
		slot: block.name.slice(0, 80),
		serial: block.serial !== null && /^[\x20-\x7e]{1,40}$/.test(block.serial) ? block.serial : null,
		sectors: known ? { logicalSectorBytes: logical.data, physicalSectorBytes: physical.data } : null,
	};
}

function configOf(facts: FarFacts): StatedSpec {
	const { cpus, memoryMiB, firmware, secureBoot, clock, nics } = facts;
	const { least, most } = memoryLimitsMiB;
	const addresses = nics.flatMap(nic => {
		const mac = macSchema.safeParse(nic.trim());
		return mac.success ? [{ mac: mac.data, network: 'default' }] : [];
	});
	return {
		os: 'linux',
		...(cpus === null || cpus < 1 ? {} : { cpus: Math.min(cpus, maxCpus) }),
		...(memoryMiB === null || memoryMiB < least ? {} : { memoryMiB: Math.min(memoryMiB, most) }),
		...(firmware === null ? {} : { firmware }),
		...(secureBoot === null ? {} : { secureBoot }),
		...(clock === null ? {} : { clock }),
		...(addresses.length === 0 ? {} : { nics: addresses.slice(0, maxNics) }),
	};
}
