/**
 * What each may have of `total`: as much as the others, but for those that can do with less, whose rest goes to the others.
 * Rates in bytes a second; 0 is unlimited, for `total` and in `own`.
 */
export function equalShares(total: number, own: readonly number[]): number[] {
	if (total === 0) return [...own];
	const shares = own.map(() => 0);
	let left = total;
	const modest = own.map((rate, index) => ({ rate: rate === 0 ? Number.POSITIVE_INFINITY : rate, index }));
	modest.sort((one, other) => one.rate - other.rate);
	for (const [served, { rate, index }] of modest.entries()) {
		// Not 0, which would be without a limit.
		const share = Math.max(1, Math.floor(Math.min(rate, left / (own.length - served))));
		shares[index] = share;
		left = Math.max(0, left - share);
	}
	return shares;
}
