import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as z from 'zod';
import { errorDocumentSchema } from '../../model/error-document.ts';
import { asRouseError, isErrorDocument, RouseError } from '../../model/errors.ts';

const whole = { code: 'io_failed', message: 'no', hint: 'look', details: { next: 'finish', tries: 2, last: false } };

describe('`isErrorDocument` and `errorDocumentSchema` are of one opinion', () => {
	for (const [name, document, good] of [
		['all that there is', whole, true],
		['no more than a code and a message', { code: 'timeout', message: '' }, true],
		['nothing said where nothing need be', { ...whole, hint: undefined, details: undefined }, true],
		['what a newer version says as well', { ...whole, since: 3 }, true],
		['a code that nobody knows', { ...whole, code: 'toString' }, false],
		['no message', { ...whole, message: undefined }, false],
		['a hint that is no text', { ...whole, hint: null }, false],
		['a detail that is no number', { ...whole, details: { tries: Number.NaN } }, false],
		['a detail that is a list', { ...whole, details: { tries: [1] } }, false],
		['details that are a list', { ...whole, details: ['next'] }, false],
		['details that are nothing', { ...whole, details: null }, false],
		['a list', [whole], false],
		['nothing', null, false],
		['a text', 'io_failed', false],
	] as const)
		it(`${good ? 'yes' : 'no'}: ${name}`, () => {
			assert.equal(isErrorDocument(document), good);
			assert.equal(errorDocumentSchema.safeParse(document).success, good);
		});

	it('and an error is in it as it was', () => {
		const error = new RouseError('space_short', 'full', { hint: 'make room', details: { bytes: 3 } });
		assert.deepEqual(errorDocumentSchema.parse(error.toDocument()), error.toDocument());
	});
});

describe('`asRouseError`', () => {
	it('of what a schema refuses says the field and what is wrong with it', () => {
		const { error } = z.object({ size: z.int() }).safeParse({ size: 'large' });
		assert.deepEqual(
			[asRouseError(error).code, asRouseError(error).message],
			['internal', 'size: must be a number, not a text'],
		);
	});
});
