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

type Issue = z.core.$ZodIssue;

/** What of a value is not accepted, and what would be, in words; a schema's own words stay. Without the field's name. */
export function issueText(issue: Issue): string {
	// The library's words, of which the first say whether a schema has its own (zod 4, src/v4/locales/en.ts).
	const own = !/^(Invalid (input|option)|Too (small|big)|Unrecognized key)/.test(issue.message);
	if (own) return issue.message;
	const wanted = wantedText(issue);
	return wanted ?? issue.message;
}

function wantedText(issue: Issue): string | undefined {
	switch (issue.code) {
		case 'invalid_type': {
			const [, received = ''] = /received (\w+)$/.exec(issue.message) ?? [];
			const must = `must be ${kinds[issue.expected] ?? issue.expected}`;
			return received === 'undefined' ? `is missing: it ${must}` : `${must}, not ${kinds[received] ?? received}`;
		}
		case 'invalid_value':
			return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
		case 'too_small':
			return `must ${has(issue.origin)} ${issue.minimum} or more${unit(issue.origin)}`;
		case 'too_big':
			return `must ${has(issue.origin)} ${issue.maximum} or less${unit(issue.origin)}`;
		case 'unrecognized_keys':
			return 'no such field is known here';
		case 'invalid_union':
			return 'is in none of the forms that are accepted (docs/cli.md shows them)';
		case 'custom':
		case 'invalid_element':
		case 'invalid_format':
		case 'invalid_key':
		case 'not_multiple_of':
	}
	return undefined; // its own words are good ones
}

function has(origin: string): string {
	return unit(origin) === '' ? 'be' : 'have';
}

function unit(origin: string): string {
	if (origin === 'string') return ' characters';
	return origin === 'array' || origin === 'set' || origin === 'map' ? ' entries' : '';
}
