import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Admission, cookieOf, type RequestHead, withoutOurCookie } from '../../cli/ui/admission.ts';

const port = 4711;
const host = `127.0.0.1:${port}`;

/** Admitted, and the cookie that shows it. */
function entered(write = false): { admission: Admission; cookie: string } {
	const admission = new Admission({ port, start: '/namespaces/n/workflows', write });
	const decision = admission.decide({ method: 'GET', url: `/?token=${admission.token}`, headers: { host } });
	assert.equal(decision.kind, 'enter');
	return { admission, cookie: decision.cookie.split(';')[0] ?? '' };
}

function statusOf(admission: Admission, head: Partial<RequestHead>): number | string {
	const decision = admission.decide({ method: 'GET', url: '/', headers: { host }, ...head });
	return decision.kind === 'refuse' ? decision.status : decision.kind;
}

suite('`rouse ui` admits', () => {
	test('the one who comes first with the token, by a cookie that no page from elsewhere sends', () => {
		const admission = new Admission({ port, start: '/start', write: false });
		const url = `/?token=${admission.token}`;
		const decision = admission.decide({ method: 'GET', url, headers: { host } });
		assert.ok(decision.kind === 'enter');
		assert.equal(decision.location, '/start');
		assert.match(decision.cookie, /^rouse_ui_4711=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/);
		assert.equal(statusOf(admission, { url }), 403);
		assert.equal(statusOf(admission, { headers: { host, cookie: `a=b; ${decision.cookie.split(';')[0]}` } }), 'pass');
	});

	test('nobody without the token or the cookie', () => {
		const { admission } = entered();
		for (const url of ['/', '/?token=', '/?token=x', '/api/v1/namespaces'])
			assert.equal(statusOf(admission, { url }), 403);
		for (const cookie of ['', 'rouse_ui_4711=', 'rouse_ui_4711=x', 'other=rouse_ui_4711'])
			assert.equal(statusOf(admission, { headers: { host, cookie } }), 403);
	});

	test('no other name of the machine, which a page could have made lead here', () => {
		const { admission, cookie } = entered();
		for (const name of ['evil.example', `evil.example:${port}`, '127.0.0.1', '127.0.0.1:1', undefined])
			assert.equal(statusOf(admission, { headers: { host: name, cookie } }), 400);
		assert.equal(statusOf(admission, { headers: { host: `localhost:${port}`, cookie } }), 'pass');
	});

	test('what changes something only with `write`, and queries always', () => {
		const query = '/api/v1/namespaces/n/workflows/recovery%2Fweb01/query/status';
		const { admission, cookie } = entered();
		const headers = { host, cookie };
		for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
			assert.equal(statusOf(admission, { method, url: '/api/v1/namespaces/n/workflows/w/terminate', headers }), 405);
		const close = '/api/v1/namespaces/n/workflows/w/terminate/query/..';
		for (const url of [
			`/api/v1/x?${query}`,
			`${query}/terminate`,
			'/api/v1/namespaces/n/schedules/query/x',
			close,
			`${query}/..`,
			'/api/v1/namespaces/n/workflows/w/query/..',
		])
			assert.equal(statusOf(admission, { method: 'POST', url, headers }), 405, url);
		assert.equal(statusOf(admission, { method: 'POST', url: query, headers }), 'pass');
		const writing = entered(true);
		const order = { method: 'POST', url: '/api/v1/x', headers: { host, cookie: writing.cookie } };
		assert.equal(statusOf(writing.admission, order), 'pass');
	});

	test('no request for anything but a path', () => {
		const { admission, cookie } = entered(true);
		for (const url of ['//', '//x', '/\\', 'http://[', 'http://127.0.0.1/', '*', '', '//?token=x'])
			assert.equal(statusOf(admission, { url, headers: { host, cookie } }), 400, url);
	});

	test('no request that a page from elsewhere has sent', () => {
		const { admission, cookie } = entered(true);
		for (const origin of ['https://evil.example', 'null', `http://127.0.0.1:${port + 1}`])
			assert.equal(statusOf(admission, { method: 'POST', headers: { host, cookie, origin } }), 403);
		for (const site of ['cross-site', 'same-site', 'x'])
			assert.equal(statusOf(admission, { headers: { host, cookie, 'sec-fetch-site': site } }), 403);
		const own = { host, cookie, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' };
		assert.equal(statusOf(admission, { method: 'POST', headers: own }), 'pass');
	});

	test('and keeps its cookie from the server behind', () => {
		assert.deepEqual(withoutOurCookie({ cookie: '_csrf=a; rouse_ui_1=secret; b=c; rouse_ui_4711=s' }), {
			cookie: '_csrf=a; b=c',
		});
		assert.deepEqual(withoutOurCookie({ host, cookie: 'rouse_ui_4711=secret' }), { host });
		assert.equal(cookieOf({ cookie: 'a=1; b=2=3' }, 'b'), '2=3');
	});
});
