import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSshUri } from '../../sources/ssh/uri.ts';

test('an address over SSH has a user, a host and a port, and nothing else; one that is refused is not repeated', () => {
	const all = { user: 'backup', host: 'db1.example', port: 2222, uri: 'ssh://backup@db1.example:2222/' };
	assert.deepEqual(parseSshUri('ssh://backup@db1.example:2222/'), all);
	assert.deepEqual(parseSshUri('ssh://db1'), { user: 'root', host: 'db1', port: 22, uri: 'ssh://root@db1/' });
	assert.deepEqual(parseSshUri('ssh://root@[fe80::1]/'), {
		user: 'root',
		host: 'fe80::1',
		port: 22,
		uri: 'ssh://root@[fe80::1]/',
	});
	for (const text of [
		'ssh://root:hunter2@db1/',
		'ssh://root@db1/dev/sda',
		'ssh://root@db1/?hunter2',
		'ssh:///',
		'http://db1/',
		'db1',
		'ssh://-oProxyCommand=hunter2/',
		'ssh://-l%20x@db1/',
		'ssh://%hunter2@db1/',
	])
		assert.throws(
			() => parseSshUri(text),
			(error: Error) => {
				assert.equal(Reflect.get(error, 'code'), 'config_invalid');
				return !error.message.includes('hunter2');
			},
		);
});
