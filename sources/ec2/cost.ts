/**
 * What AWS asks for an import, in US dollars, by its price list for us-east-1 (aws.amazon.com/ebs/pricing, "EBS direct APIs" and
 * "EBS Snapshots", and aws.amazon.com/ec2/pricing/on-demand, "Data Transfer"); other regions ask up to twice that. Said beforehand, so
 * that nobody is surprised by the size of it: it is no bill.
 */
import type { SourceMachine, SourcePlan } from '../machine/documents.ts';
import { blockBytes } from './cloud.ts';

const usd = {
	perThousandBlocks: 0.003,
	/** Out of the region to the internet, up to 10 TB in a month. */
	perGiBOutside: 0.09,
	perGiBMonthOfSnapshot: 0.05,
};
const gib = 2 ** 30;
const blocksPerTiB = 2 ** 40 / blockBytes;

/** For reading 1 TiB through the EBS direct APIs. */
const usdPerTiB = (blocksPerTiB / 1000) * usd.perThousandBlocks;

/** At most 200 characters. */
export function costOf(
	{ disks }: Pick<SourceMachine, 'disks'>,
	plan: Pick<SourcePlan, 'disks'>,
	{ keeps }: { keeps: boolean },
): string {
	const whole = new Set(plan.disks.filter(({ reads }) => reads === 'all').map(({ key }) => key));
	const bytes = disks.reduce((sum, { key, sizeBytes }) => sum + (whole.has(key) ? sizeBytes : 0), 0);
	const perTiB = `${inUsd(usdPerTiB)} per TiB`;
	const most = (bytes / 2 ** 40) * usdPerTiB;
	const reading =
		whole.size === 0
			? `${perTiB} of what has changed`
			: `${perTiB} that is read, at most ${inUsd(most)} for whole disks`;
	const outside = inUsd(usd.perGiBOutside * 1024);
	const kept = keeps ? `; ${inUsd(usd.perGiBMonthOfSnapshot)} a month for each GiB kept` : '';
	return `about ${reading}; ${outside} per TiB more out of the region${kept}`;
}

/** Snapshots hold what has changed since the one before alone, so that this is the most. */
export function costOfSnapshot(sizeBytes: number): string {
	return `at most ${inUsd((sizeBytes / gib) * usd.perGiBMonthOfSnapshot)} a month`;
}

function inUsd(amount: number): string {
	return `${amount < 10 ? Math.max(0.01, amount).toFixed(2) : amount.toFixed(0)} USD`;
}
