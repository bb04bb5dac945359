/** How fast each copy of a host may be, and why. Pure. */
import { formatBytes } from '../../model/format-bytes.ts';
import type { Config } from '../../system/installation.ts';
import { readLimitOf } from '../../system/site.ts';
import type { RecoveryState } from '../files/state.ts';
import { equalShares } from './equal-shares.ts';
import type { Throttle } from './latency-control.ts';

export interface PaceLimit {
	/** `latency` of the datastore, `host` and `repository` in config.yaml, `request` as was asked for. */
	code: 'latency' | 'host' | 'repository' | 'request';
	/** For this copy, of its disks; that of a repository for all that is read there, as it lies there. */
	bytesPerSecond: number;
	reason: string;
}

export interface CopyPace {
	/** Bytes of disk a second; 0 is unlimited. */
	maxRateBytes: number;
	/** What holds it back: of what limits its writes the lowest, and the repository's. */
	limits: PaceLimit[];
}

/** Before it was looked at. */
export const unpaced: CopyPace = { maxRateBytes: 0, limits: [] };

interface Copy {
	readonly state: Pick<RecoveryState, 'copy' | 'plan'>;
}

export interface HostLimits {
	latency: (Throttle & { limitMs: number }) | null;
	config: Pick<Config, 'host' | 'repositories' | 'limits'>;
}

/** Of those that copy. */
export function paces<C extends Copy>(host: HostLimits, copies: readonly C[]): Map<C, CopyPace> {
	const { total } = lowest(host, copies.length);
	const shares = equalShares(
		total,
		copies.map(({ state }) => state.copy.maxRateBytes),
	);
	return new Map(copies.map((copy, index) => [copy, pace(host, copies.length, copy, shares[index] ?? 0)]));
}

/** Of one that may begin: as if it copied. */
export function paceOf<C extends Copy>(host: HostLimits, copies: readonly C[], copy: C): CopyPace {
	return paces(host, [...copies, copy]).get(copy) ?? pace(host, 1, copy, 0);
}

function pace(host: HostLimits, count: number, { state }: Copy, maxRateBytes: number): CopyPace {
	const limits: PaceLimit[] = [];
	const { code, reason } = lowest(host, count);
	if (maxRateBytes > 0) {
		const asked = maxRateBytes === state.copy.maxRateBytes;
		if (asked) limits.push({ code: 'request', bytesPerSecond: maxRateBytes, reason: 'as was asked for' });
		else if (code !== undefined) limits.push({ code, bytesPerSecond: maxRateBytes, reason });
	}
	const ofRepository = state.plan ? readLimitOf(host.config, state.plan.repository) : 0;
	if (ofRepository > 0)
		limits.push({
			code: 'repository',
			bytesPerSecond: ofRepository,
			reason: `no more than ${formatBytes(ofRepository)}/s are read of the repository, by guests and all copies together`,
		});
	return { maxRateBytes, limits };
}

/** Of the limits for all copies of the host the lowest; 0 is none. */
function lowest(
	{ latency, config }: HostLimits,
	copies: number,
): { total: number; code?: 'latency' | 'host'; reason: string } {
	const ofHost = config.host.copyBytesPerSecond ?? 0;
	const among = copies === 1 ? '' : `, shared by ${copies} copies`;
	if (latency && (ofHost === 0 || latency.bytesPerSecond < ofHost)) {
		const reason = `the datastore was at ${Math.round(latency.ms)} ms, above ${latency.limitMs} ms: guests come first${among}`;
		return { total: latency.bytesPerSecond, code: 'latency', reason };
	}
	if (ofHost === 0) return { total: 0, reason: '' };
	return { total: ofHost, code: 'host', reason: `copies on this host may write ${formatBytes(ofHost)}/s${among}` };
}
