import type * as z from 'zod';

const kinds: Readonly<Record<string, string>> = {
	string: 'a text',
	number: 'a number',
	int: 'a whole number',
	boolean: 'true or false',
	array: 'a list',
	object: 'a map',
	record: 'a map',
	null: 'nothing',
	undefined: 'nothing',
};

const formats: Readonly<Record<string, string>> = {
	uuid: 'a UUID',
	guid: 'a UUID',
	datetime: 'a time, as 2026-11-20T03:00:00Z',
	date: 'a date, as 2026-11-20',
	ipv4: 'an IPv4 address',
	url: 'a URL',
};

type Issue = z.core.$ZodIssue;

/** What of a value is not accepted, the field's name first: all that people read of a schema's error. */
export function refusalText({ issues }: { issues: readonly Issue[] }): string {
	const [issue] = issues;
	if (issue === undefined) return 'not accepted';
	const keys = keysOf(issue);
	return keys.length === 0 ? issueText(issue) : `${keys.map(String).join('.')}: ${issueText(issue)}`;
}

/**
 * Of a value that is in none of several forms, what is wrong in the one form that is of its kind, with the whole way to it;
 * any other issue is itself.
 */
export function nearestIssue(issue: Issue): Issue {
	if (issue.code !== 'invalid_union') return issue;
	const meant = issue.errors.flatMap(([first]) => (first === undefined || isOfAnotherKind(first) ? [] : [first]));
	const [only, ...more] = meant;
	if (only === undefined || more.length > 0) return issue;
	return nearestIssue({ ...only, path: [...issue.path, ...only.path] });
}

function isOfAnotherKind({ code, path }: Issue): boolean {
	return path.length === 0 && (code === 'invalid_type' || code === 'invalid_value');
}

/** The way to what is not accepted: of a map with a key too many, to that key. */
export function keysOf(issue: Issue): PropertyKey[] {
	return issue.code === 'unrecognized_keys' ? [...issue.path, ...issue.keys.slice(0, 1)] : [...issue.path];
}

/** What of a value is not accepted, and what would be, in words; a schema's own words stay. Without the field's name. */
export function issueText(issue: Issue): string {
	// The library's words, of which the first say whether a schema has its own (zod 4, src/v4/locales/en.ts).
	const own = !/^(Invalid |Too (small|big): |Unrecognized key)/.test(issue.message);
	if (own) return issue.message;
	return wantedText(issue) ?? 'is not accepted';
}

function wantedText(issue: Issue): string | undefined {
	switch (issue.code) {
		case 'invalid_type': {
			const [, received = ''] = /received (\w+)$/.exec(issue.message) ?? [];
			const must = `must be ${kinds[issue.expected] ?? issue.expected}`;
			if (issue.expected === 'int' && received === 'number') return must;
			return received === 'undefined' ? `is missing: it ${must}` : `${must}, not ${kinds[received] ?? received}`;
		}
		case 'invalid_value':
			return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
		case 'too_small':
			return `must ${has(issue.origin)} at least ${issue.minimum}${unit(issue.origin)}`;
		case 'too_big':
			return `must ${has(issue.origin)} at most ${issue.maximum}${unit(issue.origin)}`;
		case 'unrecognized_keys':
			return 'no such field is known here';
		case 'invalid_union':
			return 'is in none of the forms that are accepted (docs/cli.md shows them)';
		case 'invalid_format':
			return `must be ${formats[issue.format] ?? 'in another form'}`;
		case 'not_multiple_of':
			return `must be a multiple of ${issue.divisor}`;
		case 'invalid_key':
			return 'has a key that is not accepted';
		case 'invalid_element':
			return 'has an entry that is not accepted';
		case 'custom':
	}
	return undefined;
}

function has(origin: string): string {
	return unit(origin) === '' ? 'be' : 'have';
}

function unit(origin: string): string {
	if (origin === 'string') return ' characters';
	return origin === 'array' || origin === 'set' || origin === 'map' ? ' entries' : '';
}
