import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { operations } from '../../hypervisors/hyperv/driver/requests.ts';

const takes = (datastore: string) => operations.report.request.safeParse({ datastore }).success;

describe('Paths in requests', () => {
	for (const path of ['D:\\Rouse', 'c:\\a\\.b\\c d.vhdx', "D:\\Ma\u00dfe & 'more'\\disk0.vhdx", 'D:\\a..b\\c'])
		it(`may be ${path}`, () => assert.ok(takes(path)));

	for (const [path, why] of [
		['D:', 'no directory'],
		['D:\\', 'the root of a drive'],
		['Rouse\\disk0.vhdx', 'no drive'],
		['\\\\server\\share\\a', 'another host'],
		['\\\\?\\D:\\a', 'another way of writing'],
		['D:/Rouse', 'other slashes'],
		['D:\\a\\\\b', 'an empty name'],
		['D:\\a\\', 'an end without a name'],
		['D:\\a\\..\\b', 'a way up'],
		['D:\\a\\.\\b', 'a way to nowhere'],
		['D:\\a.\\b', 'a dot that Windows drops'],
		['D:\\a \\b', 'a space that Windows drops'],
		['D:\\a*', 'a wildcard'],
		['D:\\[ab]', 'a set of characters'],
		['D:\\a:stream', 'a stream'],
		['D:\\$(whoami)', 'a variable'],
		['D:\\a`b', 'an escape'],
		['D:\\a"b', 'a quote'],
		['D:\\a\nb', 'a line feed'],
		[`D:\\${'a'.repeat(240)}`, 'too long'],
	] as const)
		it(`have ${why} refused: ${JSON.stringify(path).slice(0, 40)}`, () => assert.ok(!takes(path)));
});
