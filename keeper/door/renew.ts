import { RouseError } from '../../model/errors.ts';
import type { Installation } from '../../system/installation.ts';
import { publishTemporalTarget, readPublishedTarget } from '../../system/temporal-target.ts';
import { embeddedTarget, endUsersOfTarget } from '../embedded-temporal.ts';
import { whileUpOrDown } from '../start.ts';
import { makeKeys, removeOtherKeys } from './keys.ts';

/**
 * New keys for the door, after which the old ones open nothing. Door and workers are started again by the keeper, with what is
 * new; machines and recoveries go on. Throws `precheck_failed` where there is no embedded server.
 */
export async function renewKeys({ home }: Installation, signal: AbortSignal): Promise<void> {
	await whileUpOrDown(
		home,
		async () => {
			const target = await readPublishedTarget(home);
			if (target?.tls === undefined)
				throw new RouseError('precheck_failed', `no Temporal server of its own was ever started for ${home}`, {
					hint: 'rouse up makes its first keys',
				});
			const keys = await makeKeys(home);
			const port = Number(target.address.split(':')[1]);
			await publishTemporalTarget(home, embeddedTarget({ port, namespace: target.namespace, keys }));
			await endUsersOfTarget(home);
			await removeOtherKeys(keys);
		},
		signal,
	);
}
