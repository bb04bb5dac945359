/** How much of a host leases may take, and what else takes of it. No I/O. */
import type { HostResources } from '../../hypervisors/contract.ts';
import { type CapacityReport, type HeldLease, requestIdOf } from '../../model/broker.ts';

/** A recovery or a finished machine on this host. */
export interface Tenant {
	readonly recoveryId: string;
	/** What a broker has granted for it; null: no lease covers it. */
	readonly lease: HeldLease | null;
	/** Of its machine; 0 while nobody knows. */
	readonly memoryMiB: number;
	readonly cpus: number;
	/** Its machine runs, or will be started without that a broker is asked. */
	readonly runs: boolean;
	/** It is not over. */
	readonly recovers: boolean;
	readonly copies: boolean;
}

/** What was seen of the host, all at one time: who looks at machines that were started since counts them twice. */
export interface Sample {
	readonly host: HostResources;
	/** Of the host's memory what each machine had taken, by recovery. */
	readonly takenMiB: ReadonlyMap<string, number>;
}

/** What the configuration says. */
export interface Limits {
	readonly recoveries: number;
	readonly migrations: number;
	readonly vcpus?: number | undefined;
	/** Why no copy is to begin beside those that run, and how many there may be all the same; null: they may. */
	readonly noNewCopies?: { readonly why: string; readonly least: number } | null;
	/** Kept for the operating system, movers and caches: no machine is granted it. */
	readonly memoryReserveMiB?: number | undefined;
}

/**
 * Machines wait for processors, and most of them seldom want theirs. A small host is better slow than never with room for
 * a machine that has many.
 */
const usualVcpus = (cpus: number) => Math.max(64, 4 * cpus);

export function accountOf(
	sample: Sample,
	tenants: readonly Tenant[],
	limits: Limits,
): Pick<CapacityReport, 'resources' | 'held'> {
	const { cpus } = sample.host;
	const uncovered = tenants.filter(({ lease }) => lease === null);
	const count = (which: (tenant: Tenant) => boolean) => uncovered.filter(which).length;
	return {
		resources: {
			recoveries: { total: limits.recoveries, outside: count(({ recovers }) => recovers) },
			migrations: { ...migrationsOf(tenants, limits), outside: count(({ copies }) => copies) },
			memoryMiB: { total: memoryTotalMiB(sample, limits), outside: memoryOutsideMiB(sample, tenants) },
			vcpus: {
				total: limits.vcpus ?? usualVcpus(cpus),
				outside: sum(uncovered, tenant => (tenant.runs ? tenant.cpus : 0)),
			},
		},
		held: leasesOf(tenants),
	};
}

/** Those that copy go on; what is reported is what they take, and why it is not more. */
function migrationsOf(tenants: readonly Tenant[], { migrations, noNewCopies }: Limits) {
	const copying = tenants.filter(({ copies }) => copies).length;
	if (!noNewCopies || copying >= migrations) return { total: migrations };
	return { total: Math.min(migrations, Math.max(copying, noNewCopies.least)), reduced: noNewCopies.why };
}

/** What is left for a machine that a lease was granted for; less than 0 when too much is taken already. */
export function memoryLeftMiB(
	sample: Sample,
	tenants: readonly Tenant[],
	limits: Pick<Limits, 'memoryReserveMiB'>,
): number {
	const held = sum(leasesOf(tenants), memoryOf);
	return memoryTotalMiB(sample, limits) - memoryOutsideMiB(sample, tenants) - held;
}

export function memoryOf({ request }: HeldLease): number {
	return request.onHost['memoryMiB'] ?? 0;
}

function memoryTotalMiB({ host: { memory } }: Sample, { memoryReserveMiB }: Pick<Limits, 'memoryReserveMiB'>): number {
	const reserve = memoryReserveMiB ?? Math.min(4096, Math.max(512, Math.floor(memory.totalMiB / 16)));
	return Math.max(0, memory.totalMiB - reserve);
}

/**
 * All that is taken, whoever took it, but for what leased machines have touched of their leases; and what machines without
 * a lease have not touched yet.
 */
function memoryOutsideMiB({ host: { memory }, takenMiB }: Sample, tenants: readonly Tenant[]): number {
	const taken = ({ recoveryId }: Tenant) => takenMiB.get(recoveryId) ?? 0;
	const covered = sum(tenants, tenant => (tenant.lease ? Math.min(taken(tenant), memoryOf(tenant.lease)) : 0));
	const toCome = sum(tenants, tenant =>
		tenant.lease === null && tenant.runs ? Math.max(0, tenant.memoryMiB - taken(tenant)) : 0,
	);
	return Math.max(0, memory.totalMiB - memory.freeMiB - covered) + toCome;
}

/** In the order of their ids, so that the same leases are the same report. */
function leasesOf(tenants: readonly Tenant[]): HeldLease[] {
	const leases = tenants.flatMap(({ lease }) => (lease ? [lease] : []));
	return leases.toSorted((one, other) => (requestIdOf(one.request) < requestIdOf(other.request) ? -1 : 1));
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
	return all.reduce((total, one) => total + of(one), 0);
}
