/** Findings about clocks: orders for power are numbered by Temporal's, and at the host itself by the host's. */
import { formatDuration } from '../terminal/format.ts';
import type { Facts } from './facts.ts';
import type { Finding } from './finding.ts';

/** What two clocks that are kept may differ by, and an answer may take. */
const toleratedMs = 5_000;
/** A worker that waits for work asks again after so long: LongPollExpirationInterval, temporal/common/dynamicconfig. */
const longPollMs = 60_000;

export function clockFindings({ temporalClock, services, home }: Facts): Finding[] {
	if (temporalClock === undefined) return [];
	const aheadMs = temporalClock.lastPollMs - temporalClock.nowMs;
	// One that is not there has not asked for long; one that is there has just asked.
	const polls = services.some(({ name }) => name === 'control-worker');
	const behindMs = polls ? -aheadMs - longPollMs : 0;
	if (aheadMs <= toleratedMs && behindMs <= toleratedMs) return [];
	const how = aheadMs > 0 ? `${formatDuration(aheadMs)} ahead of` : `${formatDuration(behindMs)} behind`;
	return [
		{
			code: 'clock_skew',
			subject: home,
			explanation: `Temporal's clock is at least ${how} this host's: a later order for the power of a machine may be taken for an older one`,
			command: 'let both keep their time by the same servers, for instance: timedatectl set-ntp true',
		},
	];
}
