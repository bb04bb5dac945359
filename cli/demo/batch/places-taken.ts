import type { BatchItemDocument } from '../../../client/batch/documents.ts';
import { makeTimeline } from '../../../client/timeline.ts';
import { RouseError } from '../../../model/errors.ts';
import type { Session } from '../../recover/session.ts';
import type { BatchDemoReport } from './report.ts';
import { mostAtOnce, type Stay, stayOf } from './stays.ts';

/**
 * Of each host how many of its places were taken at once, by the histories of all recoveries. Throws `machine_failed` where
 * those were more than it has.
 */
export async function placesTaken(
	{ recoveries, broker }: Pick<Session, 'recoveries' | 'broker'>,
	items: readonly Pick<BatchItemDocument, 'name' | 'host'>[],
): Promise<BatchDemoReport['places']> {
	const stays = new Map<string, Stay[]>();
	for (const { name, host } of items) {
		const entries = makeTimeline(await recoveries.history(name), [], { deaths: [], outages: [] });
		stays.set(host ?? '', [...(stays.get(host ?? '') ?? []), stayOf(name, entries)]);
	}
	const { resources } = await broker.view();
	return [...stays].map(([host, ofHost]) => {
		const places = resources.find(({ resource }) => resource === `host/${host}/recoveries`)?.capacity ?? 0;
		const most = mostAtOnce(ofHost);
		if (most > places) throw new RouseError('machine_failed', `${host} has ${places} places, and ${most} were taken`);
		return { host, places, most };
	});
}
