import { measureServers } from './measure.ts';
import { fioReads, type Load, passOver, type Reads, sha256Served } from './nbd-reads.ts';
import type { Side, Sides } from './row.ts';
import type { Scope } from './scope.ts';
import type { NbdServer, Server } from './servers.ts';
import { expectSame } from './stock.ts';

export interface Served {
	server: NbdServer;
	/** What works for it as well. */
	others?: readonly Server[];
}

/** Both serve the same bytes; throws unless they do. */
export async function expectBothServe(
	ours: Served,
	theirs: Served,
	sha256: string,
	signal: AbortSignal,
): Promise<void> {
	expectSame('what our server gives', await sha256Served(ours.server, signal), sha256);
	expectSame("what the peer's server gives", await sha256Served(theirs.server, signal), sha256);
}

/** Reads of fio's from servers that run on from pair to pair; the time of the servers counts, not that of fio. */
export function byFio(
	scope: Scope,
	load: Omit<Load, 'seed'>,
	valueOf: (reads: Reads) => number,
	[ours, theirs]: readonly [Served, Served],
): Sides {
	const side =
		({ server, others = [] }: Served): Side =>
		async pair => {
			const pids = [server, ...others].map(({ pid }) => pid);
			const cost = await measureServers(pids, () => fioReads(scope, server, { ...load, seed: pair }));
			return { ...cost, value: valueOf(cost.result) };
		};
	return { ours: side(ours), theirs: side(theirs) };
}

/** One pass over the whole disk. */
export function byPass(
	scope: Scope,
	how: { connections: number; requests: number },
	[ours, theirs]: readonly [Served, Served],
): Sides {
	const side =
		({ server, others = [] }: Served): Side =>
		async () => {
			const pids = [server, ...others].map(({ pid }) => pid);
			const cost = await measureServers(pids, () => passOver(scope, server, how));
			return { ...cost, value: cost.seconds };
		};
	return { ours: side(ours), theirs: side(theirs) };
}
