/** What the machines of a batch take of their hosts. Pure. */
import type { PoolHost } from '../requests.ts';
import type { WantedItem } from './expand.ts';
import { hostsOf } from './conflicts.ts';

/** Machines that may go to the same hosts, and what those have; null of a host that did not answer. */
export interface Demand {
	hosts: string[];
	machines: number;
	/** On their datastores: the whole disks, or of those that take it as they fill, the data that is known. */
	neededBytes: number;
	freeBytes: number | null;
	memoryMiB: number;
	freeMemoryMiB: number | null;
}

/** By the hosts that are asked for, and in the end by all of them together where there are several. */
export function demandsOf(items: readonly WantedItem[], hosts: ReadonlyMap<string, PoolHost>): Demand[] {
	const sets = new Map<string, WantedItem[]>();
	for (const item of items) {
		const key = hostsOf(item.request).toSorted().join(' ');
		sets.set(key, [...(sets.get(key) ?? []), item]);
	}
	const demands = [...sets].map(([key, some]) => demandOf(key.split(' '), some, hosts));
	const all = [...new Set(demands.flatMap(demand => demand.hosts))];
	return demands.length > 1 ? [...demands, demandOf(all, items, hosts)] : demands;
}

function demandOf(names: string[], items: readonly WantedItem[], hosts: ReadonlyMap<string, PoolHost>): Demand {
	const views = names.map(name => hosts.get(name)?.view ?? null);
	const sum = (of: (item: WantedItem) => number) => items.reduce((total, item) => total + of(item), 0);
	const free = (of: (view: NonNullable<PoolHost['view']>) => number) =>
		views.reduce<number | null>((total, view) => (total === null || view === null ? null : total + of(view)), 0);
	return {
		hosts: names,
		machines: items.length,
		neededBytes: sum(spaceOf),
		freeBytes: free(view => view.freeBytes),
		memoryMiB: sum(({ request, point }) => request.memoryMiB ?? point.config.memoryMiB),
		freeMemoryMiB: free(view => view.memory.freeMiB),
	};
}

function spaceOf({ request, point }: WantedItem): number {
	return point.disks.reduce((sum, disk) => sum + (request.allocate === 'start' ? disk.sizeBytes : disk.dataBytes), 0);
}

export function dataBytesOf({ point }: WantedItem): number {
	return point.disks.reduce((sum, disk) => sum + disk.dataBytes, 0);
}
