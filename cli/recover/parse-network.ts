import { InvalidArgumentError } from '@commander-js/extra-typings';
import { networkTargetSchema, type RecoveryRequest } from '../../model/recovery.ts';

type Networks = RecoveryRequest['networks'];

/** `--network SRC=user|none`, given as often as needed. */
export function parseNetwork(text: string, before: Networks = {}): Networks {
	const at = text.lastIndexOf('=');
	const target = networkTargetSchema.safeParse(text.slice(at + 1));
	if (at < 1 || !target.success)
		throw new InvalidArgumentError(`"${text}": write SRC=user or SRC=none, SRC being the network the original was on.`);
	return { ...before, [text.slice(0, at)]: target.data };
}
