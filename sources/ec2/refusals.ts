/** What calls of AWS came to, by our codes. No cause goes along: it would carry the request, and who made it, to logs and histories. */
import { type ErrorCode, RouseError } from '../../model/errors.ts';
import { CloudError, type CloudFault } from './cloud.ts';

interface Meaning {
	code: ErrorCode;
	text: (call: string) => string;
	hint: string;
}

const policy = 'docs/sources.md has the policy that is needed, and no more';

/** All but `missing`, which is something else in each place. */
const meanings: Readonly<Record<Exclude<CloudFault, 'missing'>, Meaning>> = {
	denied: { code: 'access_denied', text: call => `AWS does not allow ${call} to these credentials`, hint: policy },
	'key-denied': {
		code: 'access_denied',
		text: call => `${call}: these credentials may not use the key that the volume is encrypted with`,
		hint: 'allow kms:Decrypt on that key, in its policy and in theirs',
	},
	'unknown-caller': {
		code: 'access_denied',
		text: call => `${call}: AWS does not take these credentials`,
		hint: 'see that they are there, are right and have not expired, and that the clock of this machine is right',
	},
	token: {
		code: 'source_unreachable',
		text: call => `${call}: AWS takes none of the tokens that it gives`,
		hint: 'it may go by itself',
	},
	unrelated: {
		code: 'checkpoint_lost',
		text: () => 'AWS cannot compare the snapshot with the one that was kept',
		hint: 'the disk is read whole',
	},
	'in-use': {
		code: 'source_busy',
		text: call => `${call}: something else needs the snapshot`,
		hint: 'an image that was made of it has to go first',
	},
	'too-many': {
		code: 'source_busy',
		text: call => `${call}: there are too many snapshots of the volume under way, or in the account`,
		hint: 'wait for those, or have the quota raised',
	},
	throttled: {
		code: 'source_unreachable',
		text: call => `${call}: AWS asks for fewer calls`,
		hint: 'it goes by itself; imports of many machines at once share one quota',
	},
	unreachable: {
		code: 'source_unreachable',
		text: call => `${call}: no answer of AWS`,
		hint: 'see that the region is right, and its addresses can be reached from here',
	},
	cut: {
		code: 'source_unreachable',
		text: call => `${call}: answers end early, or stand still`,
		hint: 'look at the network between here and the region',
	},
	damaged: {
		code: 'source_invalid',
		text: call => `${call}: bytes came, again and again, that are not those of their digest`,
		hint: 'something between here and AWS changes them',
	},
	impossible: {
		code: 'source_invalid',
		text: call => `${call}: the answer cannot be right`,
		hint: 'see that it comes from AWS: AWS_ENDPOINT_URL may name another place',
	},
	refused: {
		code: 'source_invalid',
		text: call => `${call}: AWS refuses that`,
		hint: 'its own word for it stands in the message',
	},
};

/** What `missing` means where it is met. */
export interface Missing {
	code: ErrorCode;
	message: string;
	hint?: string;
}

/** Any other value comes back as it is. */
export function sourceError(error: unknown, missing: Missing): unknown {
	if (!(error instanceof CloudError)) return error;
	const { fault, call, word } = error;
	if (fault === 'missing') return new RouseError(missing.code, missing.message, { hint: missing.hint });
	const { code, text, hint } = meanings[fault];
	return new RouseError(code, `${text(call)} (${word})`, { hint, details: { call, fault } });
}

/** Does `work`, and throws what it throws by our codes. */
export async function inOurCodes<T>(missing: Missing, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		throw sourceError(error, missing);
	}
}

export function momentLost(snapshotId: string): Missing {
	return {
		code: 'moment_lost',
		message: `snapshot ${snapshotId} is gone while it is needed`,
		hint: 'see who deletes snapshots in this account; then begin the import anew',
	};
}

export function isFault(error: unknown, ...faults: readonly CloudFault[]): error is CloudError {
	return error instanceof CloudError && faults.includes(error.fault);
}
