/** What calls of Google came to, by our codes. Their words are Google's reasons and no sentences, which quote what was asked. */
import { type ErrorCode, RouseError } from '../../model/errors.ts';
import { GoogleFault, type GoogleFaultKind } from './google/fault.ts';

interface Meaning {
	code: ErrorCode;
	text: (call: string) => string;
	hint: string;
}

/** What `missing` and `changed` mean is something else in each place. */
const meanings: Readonly<Record<Exclude<GoogleFaultKind, 'missing' | 'changed'>, Meaning>> = {
	denied: {
		code: 'access_denied',
		text: call => `Google does not allow ${call} to these credentials`,
		hint: 'docs/sources.md has the role that is needed, and no more; Google says the same of what is not there to who may not list it',
	},
	'unknown-caller': {
		code: 'access_denied',
		text: call => `${call}: Google has no credentials, or does not take them`,
		hint: 'name a file of Google as the credential, or let gcloud make one (gcloud auth application-default login); see that the clock of this machine is right',
	},
	range: {
		code: 'source_invalid',
		text: call => `${call}: Google says that the object ends before its size`,
		hint: 'import again; if it stays so, copy the object to another name',
	},
	throttled: {
		code: 'source_unreachable',
		text: call => `${call}: Google asks for fewer calls`,
		hint: 'it goes by itself; imports of many machines at once share one quota',
	},
	unreachable: {
		code: 'source_unreachable',
		text: call => `${call}: no answer of Google`,
		hint: 'see that storage.googleapis.com, compute.googleapis.com and oauth2.googleapis.com can be reached from here',
	},
	cut: {
		code: 'source_unreachable',
		text: call => `${call}: answers end early, or stand still`,
		hint: 'look at the network between here and Google',
	},
	refused: {
		code: 'source_invalid',
		text: call => `${call}: Google refuses that, or answers something else`,
		hint: 'its own word for it stands in the message',
	},
};

/** What it means that something is not there. */
export interface Missing {
	code: ErrorCode;
	message: string;
	hint: string;
}

/** Does `work`, and throws what it throws by our codes. */
export async function inOurCodes<T>(missing: Missing, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		throw sourceError(error, missing);
	}
}

/** Any other value comes back as it is. No cause goes along. */
export function sourceError(error: unknown, missing: Missing): unknown {
	if (!(error instanceof GoogleFault)) return error;
	const { fault, call, word } = error;
	if (fault === 'missing' || fault === 'changed')
		return new RouseError(missing.code, missing.message, { hint: missing.hint });
	const { code, text, hint } = meanings[fault];
	return new RouseError(code, `${text(call)} (${word})`, { hint, details: { call, fault } });
}
