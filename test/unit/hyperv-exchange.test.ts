import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assert as holds, property, string } from 'fast-check';
import { asciiJson, DriverExchange } from '../../hypervisors/hyperv/driver/exchange.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');

function begun(): DriverExchange {
	const exchange = new DriverExchange('rouse AA');
	exchange.push(bytes('rouse AA\r\n'));
	return exchange;
}

const protocol = { code: 'protocol' };

describe('`asciiJson`', () => {
	it('is ASCII in one line, and means the same', () => {
		holds(
			property(string({ unit: 'binary' }), text => {
				const json = asciiJson({ text });
				assert.match(json, /^[ -~]*$/);
				assert.deepEqual(JSON.parse(json), { text });
			}),
		);
	});
});

describe('`DriverExchange`', () => {
	it('asks in a line with an id of its own, which the request cannot have', () => {
		const exchange = begun();
		const first = exchange.ask('observe', { recoveryId: 'r', id: 99, op: 'other' });
		assert.deepEqual(JSON.parse(first.toString()), { recoveryId: 'r', id: 1, op: 'observe' });
		assert.equal(first.at(-1), 0x0a);
		assert.deepEqual(exchange.push(bytes('{"id":1,"ok":true,"result":null}\r\n')), { id: 1, ok: true, result: null });
		assert.equal(JSON.parse(exchange.ask('hello', {}).toString()).id, 2);
	});

	it('takes the answer wherever the bytes are cut', () => {
		const text = 'banner\r\nrouse AA\r\n{"id":1,"ok":true,"result":"\\u00fc"}\n';
		for (let cut = 0; cut <= text.length; cut++) {
			const exchange = new DriverExchange('rouse AA');
			exchange.ask('hello', {});
			const answers = [exchange.push(bytes(text.slice(0, cut))), exchange.push(bytes(text.slice(cut)))];
			assert.deepEqual(answers.filter(Boolean), [{ id: 1, ok: true, result: 'ü' }], `cut at ${cut}`);
		}
	});

	it('keeps what a shell says before the greeting, and takes none of it for an answer', () => {
		const exchange = new DriverExchange('rouse AA');
		exchange.ask('hello', {});
		exchange.push(bytes('{"id":1,"ok":true,"result":1}\nrouse AB\n'));
		assert.equal(exchange.greeted, false);
		assert.equal(exchange.noise, '{"id":1,"ok":true,"result":1}\nrouse AB');
	});

	it('refuses a host that talks without end and never greets', () => {
		const exchange = new DriverExchange('rouse AA');
		assert.throws(() => exchange.push(bytes('x\n'.repeat(201))), protocol);
	});

	for (const [what, line] of [
		['no JSON', 'oops'],
		['a number', '7'],
		['another id', '{"id":2,"ok":true,"result":1}'],
		['a failure without its reason', '{"id":1,"ok":false}'],
		['an HRESULT in other letters', failure('0x8007000e')],
		['an unknown code', failure(null).replace('"failed"', '"oops"')],
	] as const)
		it(`refuses ${what} as an answer`, () => {
			const exchange = begun();
			exchange.ask('hello', {});
			assert.throws(() => exchange.push(bytes(`${line}\n`)), protocol);
		});

	it('refuses an answer that nobody asked for', () => {
		assert.throws(() => begun().push(bytes('{"id":0,"ok":true,"result":1}\n')), protocol);
	});

	it('refuses a line without an end', () => {
		const exchange = begun();
		assert.throws(() => {
			for (let mebibytes = 0; mebibytes < 5; mebibytes++) exchange.push(Buffer.alloc(1024 * 1024, 0x20));
		}, protocol);
	});

	it('takes no second request before the answer', () => {
		const exchange = begun();
		exchange.ask('hello', {});
		assert.throws(() => exchange.ask('hello', {}), { code: 'internal' });
	});
});

function failure(hresult: string | null): string {
	return JSON.stringify({ id: 1, ok: false, error: { code: 'failed', message: 'm', hresult, cmdlet: null } });
}
