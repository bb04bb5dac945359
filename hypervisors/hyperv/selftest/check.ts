/** A check asks a real host one question, and says what was expected and what was seen. They are tried in their order. */
import { asRouseError } from '../../../model/errors.ts';
import type { CheckResult, Facts } from '../../../model/selftest.ts';

export interface Check<Context> {
	name: string;
	why: string;
	expected: string;
	/** Checks that must have got to their end, as expected or not: what they have made is what this one begins with. */
	needs?: readonly string[];
	/** Takes minutes: tried when that is wanted. */
	long?: boolean;
	run(context: Context, signal: AbortSignal): Promise<Seen>;
}

export interface Seen {
	/** Undefined: it could not be tried. */
	asExpected: boolean | undefined;
	seen: string;
	facts?: Facts;
	hresult?: string | null;
	/** Nothing is there for those that need it. */
	leadsNowhere?: boolean;
}

export interface RunOptions {
	long: boolean;
	signal: AbortSignal;
	trying: (name: string) => void;
	tell: (result: CheckResult) => void;
	/** Checks of before, with another machine, that were as expected. */
	before?: readonly string[];
}

/** Throws nothing: a check that throws is otherwise than expected, and those that need it are not tried. */
export async function runChecks<Context>(
	checks: readonly Check<Context>[],
	context: Context,
	{ long, signal, trying, tell, before = [] }: RunOptions,
): Promise<CheckResult[]> {
	const results: CheckResult[] = [];
	const cameThrough = new Set<string>(before);
	for (const check of checks) {
		const { name, why, expected } = check;
		const begun = performance.now();
		const seen = whyNot(check, { long, signal, cameThrough }) ?? (await tried(check, context, signal, trying));
		if (seen.asExpected !== undefined && seen.leadsNowhere !== true) cameThrough.add(name);
		const result: CheckResult = {
			name,
			why,
			expected,
			outcome: seen.asExpected === undefined ? 'not_tried' : seen.asExpected ? 'as_expected' : 'otherwise',
			seen: seen.seen,
			hresult: seen.hresult ?? null,
			durationMs: Math.round(performance.now() - begun),
			facts: seen.facts ?? {},
		};
		results.push(result);
		tell(result);
	}
	return results;
}

/** What an error says, as something that was seen. */
export function failed(thrown: unknown, facts: Facts = {}): Seen {
	const { code, message, details } = asRouseError(thrown);
	const hresult = details?.['hresult'];
	return {
		asExpected: false,
		seen: message,
		facts: { ...facts, ...details, code },
		hresult: typeof hresult === 'string' ? hresult : null,
		leadsNowhere: true,
	};
}

export function notTried(why: string): Seen {
	return { asExpected: undefined, seen: why };
}

type Sofar = Pick<RunOptions, 'long' | 'signal'> & { cameThrough: ReadonlySet<string> };

function whyNot(
	{ needs = [], long: takesLong = false }: Check<never>,
	{ long, signal, cameThrough }: Sofar,
): Seen | undefined {
	if (signal.aborted) return notTried('the self test was interrupted');
	if (takesLong && !long) return notTried('it takes minutes: ask for it with --long');
	const missing = needs.filter(name => !cameThrough.has(name));
	return missing.length === 0
		? undefined
		: notTried(`it begins where ${missing.join(' and ')} ends, which was not reached`);
}

async function tried<Context>(
	check: Check<Context>,
	context: Context,
	signal: AbortSignal,
	trying: (name: string) => void,
): Promise<Seen> {
	trying(check.name);
	try {
		return await check.run(context, signal);
	} catch (error) {
		return signal.aborted ? notTried('the self test was interrupted') : failed(error);
	}
}
