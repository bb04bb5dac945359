import { RouseError } from '../../model/errors.ts';
import { type Installation, loadConfig } from '../../system/installation.ts';
import { readPublishedTarget } from '../../system/temporal-target.ts';
import { changeTarget, embeddedTarget, whileKeysChange } from '../embedded-temporal.ts';
import { makeKeys } from './keys.ts';

/**
 * New keys for the door, after which the old ones open nothing. Door and workers are started again by the keeper, with what is
 * new; machines and recoveries go on. Throws `precheck_failed` where there is no embedded server.
 */
export async function renewKeys({ home }: Installation, signal: AbortSignal): Promise<void> {
	const { temporal } = await loadConfig({ home });
	if (temporal.address !== undefined)
		throw new RouseError('precheck_failed', `Temporal is elsewhere (${temporal.address}): its keys are made there`);
	await whileKeysChange(
		home,
		async () => {
			const target = await readPublishedTarget(home);
			if (target?.tls === undefined)
				throw new RouseError('precheck_failed', `no Temporal server of its own was ever started for ${home}`, {
					hint: 'rouse up makes its first keys',
				});
			const keys = await makeKeys(home);
			const port = Number(target.address.split(':')[1]);
			await changeTarget(home, embeddedTarget({ port, namespace: target.namespace, keys }), keys);
		},
		signal,
	);
}
