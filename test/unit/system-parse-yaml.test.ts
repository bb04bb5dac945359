import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { parseYaml, readYaml } from '../../system/parse-yaml.ts';

const parsed = (text: string) =>
	parseYaml(text, 'f.yaml', z.looseObject({ cpus: z.number().optional() }), 'spec_invalid');
const nested = ['a: &a [x,x,x]', 'b: &b [*a,*a,*a]', 'c: &c [*b,*b,*b]'].join('\n');

const refusals: [what: string, text: string, message: RegExp][] = [
	['an alias of nothing', 'cpus: *n', /^f\.yaml:1:7: \*n: nothing before it is called &n/],
	['aliases within aliases', nested, /^f\.yaml:3:8: \*b stands for something with an alias in it/],
	['an alias of itself', 'a: &a [1, *a]', /^f\.yaml:1:11: \*a/],
	['a hundred aliases', `a: &a x\nb: [${'*a,'.repeat(101)}]`, /^f\.yaml:2:\d+: more than 100 aliases/],
	['a key that is a list', '? [a, b]\n: 1', /^f\.yaml:1:3: a key must be a plain text/],
	['a broken line', 'cpus: 1\n  x: 2', /^f\.yaml:\d+:\d+: /],
	['what is no map', '17', /^f\.yaml:1:1: not keys with values/],
	['a value of another kind', '# one\ncpus: many', /^f\.yaml:2:1: cpus: must be a number, not a text$/],
];

for (const [what, text, message] of refusals)
	test(`\`parseYaml\` refuses ${what} with its place`, () => {
		assert.throws(() => parsed(text), { code: 'spec_invalid', message });
	});

const entry = z.union([z.string(), z.strictObject({ machine: z.string(), cpus: z.number().optional() })]);
const listed = (text: string) => readYaml(text, 'f.yaml', z.strictObject({ machines: z.array(entry) }), 'spec_invalid');

const inLists: [what: string, text: string, message: RegExp][] = [
	['an entry of a list', 'machines:\n  - a\n  - 17', /^f\.yaml:3:5: machines\.1: is in none of the forms/],
	[
		'a field of an entry',
		'machines:\n  - a\n  - {machine: b, cpus: x}',
		/^f\.yaml:3:18: machines\.1\.cpus: must be a number/,
	],
	['a field that an entry lacks', 'machines:\n  - a\n  - cpus: 2', /^f\.yaml:3:5: machines\.1\.machine: is missing/],
];

for (const [what, text, message] of inLists)
	test(`\`readYaml\` refuses ${what} with its place`, () => {
		assert.throws(() => listed(text), { code: 'spec_invalid', message });
	});

test('`readYaml` tells its reader the place of what no schema knows to be wrong', () => {
	const { placeOf } = listed('machines: [a,\n  b]');
	assert.equal(placeOf(['machines', 1]), 'f.yaml:2:3');
	assert.equal(placeOf(['machines', 2]), 'f.yaml:1:1');
	assert.equal(placeOf([]), 'f.yaml');
});

test('`parseYaml` takes an alias of a plain thing', () => {
	assert.deepEqual(parsed('a: &a [1, 2]\nb: *a'), { a: [1, 2], b: [1, 2] });
});

test('`parseYaml` answers or refuses whatever it is given', () => {
	const pieces = fc.constantFrom(
		'&a ',
		'*a',
		'a',
		': ',
		'\n',
		'- ',
		'[',
		']',
		'{',
		'}',
		'? ',
		', ',
		'<<',
		'!!set ',
		'"',
		'  ',
	);
	fc.assert(
		fc.property(fc.array(pieces, { maxLength: 30 }), parts => {
			try {
				parsed(parts.join(''));
			} catch (error) {
				assert.ok(error instanceof RouseError, String(error));
			}
		}),
	);
});
