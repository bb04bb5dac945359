import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { refusalText } from '../../model/issue-text.ts';
import { configSchema } from '../../system/installation.ts';

const repositories = { main: '/backup/rouse', archive: '/mnt/archive' };
const parse = (serve: unknown, more = {}) => configSchema.safeParse({ repositories, serve, ...more });

suite('`serve` of config.yaml', () => {
	test('says an address and a port for each thing, or nothing', () => {
		const serve = { address: '192.0.2.10', temporal: 7243, repositories: { main: 7443, archive: 7444 } };
		assert.deepEqual(parse(serve).data?.serve, serve);
		assert.deepEqual(parse({ address: '2001:db8::1' }).data?.serve, { address: '2001:db8::1', repositories: {} });
		assert.equal(parse(undefined).data?.serve, undefined);
		assert.equal(parse({ address: '192.0.2.10' }, { temporal: { address: '127.0.0.1:7233' } }).success, true);
	});

	const address = '192.0.2.10';
	for (const [what, serve, more, said] of [
		['no address', { temporal: 7243 }, {}, /serve\.address/],
		['a name in its place', { address: 'rouse.example' }, {}, /serve\.address: is no address/],
		['every address', { address: '::' }, {}, /serve\.address: is every address/],
		['a port that is none', { address, temporal: 70_000 }, {}, /serve\.temporal/],
		[
			'a door to a server elsewhere',
			{ address, temporal: 7243 },
			{ temporal: { address: '127.0.0.1:7233' } },
			/serve\.temporal: is of the embedded server/,
		],
		[
			'a repository that has no directory',
			{ address, repositories: { other: 7443 } },
			{},
			/serve\.repositories\.other: is not among `repositories`/,
		],
		[
			'two on one port',
			{ address, temporal: 7443, repositories: { main: 7443 } },
			{},
			/serve\.repositories\.main: has the port of serve\.temporal/,
		],
		['what it does not know', { address, ui: 1 }, {}, /serve/],
	] as const)
		test(`refuses ${what}, and says so`, () => {
			const { error } = parse(serve, more);
			assert.ok(error);
			assert.match(refusalText(error), said);
		});
});
