import { isDeepStrictEqual } from 'node:util';
import { RouseError } from '../../../model/errors.ts';
import { checked } from '../checked.ts';
import { type SourceMoment, sourceMomentSchema } from '../documents.ts';
import type { ImportOrder } from '../order.ts';
import { mustBePlanned } from '../planned.ts';
import type { StepPlaces } from './places.ts';

/**
 * Begins the moment of an order, or finds it again. Whoever calls this has noted before that {@link giveUp} may be needed. Throws
 * what the source throws: after `source_changed` the order is given up, and another one made.
 */
export async function beginMoment(
	{ source, signal }: Pick<StepPlaces, 'source' | 'signal'>,
	order: ImportOrder,
): Promise<SourceMoment> {
	const { tag, owner, identity, described, plan, since } = order;
	const begun = await source.begin({ tag, owner, identity, described, plan, since }, signal);
	const moment = checked(sourceMomentSchema, begun, 'the moment');
	if (!isDeepStrictEqual([moment.tag, moment.owner, moment.identity], [tag, owner, identity]))
		throw new RouseError('identity_conflict', `the moment that was begun for import ${tag} is that of ${moment.tag}`);
	mustBePlanned(moment.disks, order);
	return moment;
}

/** Whether it can be read. `moment_lost` when it never will be. */
export async function isReady(
	{ source, signal }: Pick<StepPlaces, 'source' | 'signal'>,
	moment: SourceMoment,
): Promise<boolean> {
	return (await source.ready(moment, signal)) === 'ready';
}
