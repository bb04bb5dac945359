import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNbdUri, nbdUri, parseNbdUri } from '../../nbd/protocol/uri.ts';

test('`parseNbdUri` gives address and export name, percent-decoded', () => {
	const given = (text: string) => parseNbdUri(text);
	assert.deepEqual(given('nbd://storage/vm1'), { address: { host: 'storage', port: 10809 }, exportName: 'vm1' });
	assert.deepEqual(given('nbd://storage:99'), { address: { host: 'storage', port: 99 }, exportName: '' });
	assert.deepEqual(given('nbd://[::1]:99/a%20b/c'), { address: { host: '::1', port: 99 }, exportName: 'a b/c' });
	assert.deepEqual(given('nbd+unix:///disk0?socket=/run/a b'), { address: { path: '/run/a b' }, exportName: 'disk0' });
	assert.deepEqual(given('nbd+unix://?socket=%2Frun%2Fs'), { address: { path: '/run/s' }, exportName: '' });
});

test('`parseNbdUri` keeps a plus sign in the path of a socket, as QEMU and libnbd do', () => {
	assert.deepEqual(parseNbdUri('nbd+unix:///?socket=/run/a+b').address, { path: '/run/a+b' });
});

test('`parseNbdUri` refuses what it does not understand, with the reason', () => {
	const refusals: [string, RegExp][] = [
		['nbds://storage/vm1', /TLS is not supported/],
		['nbd:unix:/run/s', /host is missing/],
		['nbd+unix:///disk0', /"socket" is missing/],
		['nbd+unix://host/disk0?socket=/s', /no host/],
		['nbd://storage/x?tls-type=psk', /"tls-type" is not known/],
		['nbd+unix:///x?socket=/s&tls=1', /"tls" is not known/],
		['nbd://user@storage/x', /user names/],
		['nbd+vsock://2/x', /scheme "nbd\+vsock:"/],
		['nbd://storage/%zz', /percent encoding/],
		['nbd+unix:///disk0?socket=%zz', /percent encoding/],
	];
	for (const [text, message] of refusals) assert.throws(() => parseNbdUri(text), { code: 'usage', message });
});

test('`nbdUri` of a path with any characters is read back by `parseNbdUri`', () => {
	const path = '/run/a b+c%d&e=f?g#h/ü.sock';
	assert.deepEqual(parseNbdUri(nbdUri(path, 'disk0')), { address: { path }, exportName: 'disk0' });
	assert.equal(nbdUri('/run/s', 'disk0'), 'nbd+unix:///disk0?socket=/run/s');
});

test('`isNbdUri` does not take a path for an NBD URI', () => {
	assert.equal(isNbdUri('/images/nbd.raw'), false);
	assert.equal(isNbdUri('nbd.raw'), false);
	assert.equal(isNbdUri('nbd://storage'), true);
	assert.equal(isNbdUri('nbds+unix:///?socket=/s'), true);
});
