import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { callerOf } from '../../client/caller.ts';

const passwd = 'root:x:0:0:root:/root:/bin/bash\nanna:x:1000:1000::/home/anna:/bin/sh\n';

suite('`callerOf`', () => {
	test('is who logged in, whatever they have become and whatever the environment says', () => {
		const credential = { loginUid: '1000', user: 'root', sudoUser: 'ben', passwd };
		assert.equal(callerOf(credential), 'anna');
		assert.equal(callerOf({ ...credential, loginUid: '1001' }), 'uid 1001');
	});

	test('is the user of a process without a login, and tells what sudo says as what it is', () => {
		for (const loginUid of ['4294967295', undefined]) {
			assert.equal(callerOf({ loginUid, user: 'root', sudoUser: undefined, passwd }), 'root');
			assert.equal(callerOf({ loginUid, user: 'root', sudoUser: 'anna', passwd }), 'root (sudo: anna)');
		}
	});

	test('is one line and steers no terminal', () => {
		const name = callerOf({ loginUid: undefined, user: 'root', sudoUser: 'a\nb\u001b[2J', passwd });
		assert.equal(name, 'root (sudo: a?b?[2J)');
	});

	test('has a bound', () => {
		assert.equal(callerOf({ loginUid: undefined, user: 'root', sudoUser: 'x'.repeat(999), passwd }).length, 100);
	});
});
