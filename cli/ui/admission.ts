/** Who may see Temporal's web interface, and do what in it. Without sockets: a request's head in, a decision out. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface RequestHead {
	method: string;
	/** Path and query. */
	url: string;
	headers: IncomingHttpHeaders;
}

export type Decision =
	| { kind: 'pass' }
	/** Came with the token: gets the cookie, and the address without the token. */
	| { kind: 'enter'; location: string; cookie: string }
	| { kind: 'refuse'; status: 400 | 403 | 405; reason: string };

export interface AdmissionOptions {
	port: number;
	/** Where somebody who enters is led. */
	start: string;
	/** Whether anything may be changed. */
	write: boolean;
}

const tokenName = 'token';
/** Cookies know no ports. */
const cookieName = (port: number) => `${cookiePrefix}${port}`;
const cookiePrefix = 'rouse_ui_';

/**
 * Admits the one browser that comes first with the token. Any other user of the machine can knock, and any page that a browser
 * has open can send requests here: hence the cookie that only our own pages send, and the check of the host, without which a
 * foreign name that leads to loopback would be ours (DNS rebinding).
 */
export class Admission {
	/** Of one use: an address stays in histories and on screens. */
	readonly token = secret();
	readonly #session = secret();
	readonly #options: AdmissionOptions;
	#used = false;

	constructor(options: AdmissionOptions) {
		this.#options = options;
	}

	decide({ method, url, headers }: RequestHead): Decision {
		const { port, start, write } = this.#options;
		const hosts = ['127.0.0.1', 'localhost'].map(name => `${name}:${port}`);
		const own = hosts.map(host => `http://${host}`);
		if (!hosts.includes(headers.host ?? '')) return refuse(400, 'this door is called 127.0.0.1 or localhost');
		if (!isPath(url)) return refuse(400, 'this is no path');
		const given = new URL(url, own[0]).searchParams.get(tokenName);
		if (given !== null && method === 'GET') {
			if (this.#used || !isEqual(given, this.token)) return refuse(403, 'this token was used, or never given');
			this.#used = true;
			const cookie = `${cookieName(port)}=${this.#session}; HttpOnly; SameSite=Strict; Path=/`;
			return { kind: 'enter', location: start, cookie };
		}
		if (!isEqual(cookieOf(headers, cookieName(port)) ?? '', this.#session))
			return refuse(403, 'come by the address that rouse ui has printed');
		// Other ports of this machine are the same site to a browser, and other origins.
		const site = headers['sec-fetch-site'] ?? 'none';
		if ((site !== 'none' && site !== 'same-origin') || (headers.origin !== undefined && !own.includes(headers.origin)))
			return refuse(403, 'asked for by a page from elsewhere');
		if (!write && !isReading(method, url)) return refuse(405, 'nothing can be changed here: rouse ui --write lets you');
		return { kind: 'pass' };
	}
}

/**
 * And not a whole address, or `//host`, which the server behind could take for one; nor anything that it reads in another way
 * than we do, as `#`, behind which it reads no more.
 */
function isPath(url: string): boolean {
	return /^\/(?![/\\])[^#\\\p{Cc} ]*$/u.test(url) && URL.canParse(url, 'http://127.0.0.1');
}

/** A query of a workflow is a POST; it changes nothing. */
const query = /^\/api\/v1\/namespaces\/[^/?]+\/workflows\/[^/?]+\/query\/[\w%-]+(\?|$)/;

function isReading(method: string, url: string): boolean {
	return method === 'GET' || method === 'HEAD' || (method === 'POST' && query.test(url));
}

function refuse(status: 400 | 403 | 405, reason: string): Decision {
	return { kind: 'refuse', status, reason };
}

/** RFC 6265, 4.2.1. */
export function cookieOf(headers: IncomingHttpHeaders, name: string): string | undefined {
	for (const pair of (headers.cookie ?? '').split('; '))
		if (pair.startsWith(`${name}=`)) return pair.slice(name.length + 1);
	return undefined;
}

/** All but those of `rouse ui`: the server behind has no use for them. */
export function withoutOurCookie(headers: IncomingHttpHeaders): IncomingHttpHeaders {
	const { cookie, ...rest } = headers;
	const others = (cookie ?? '').split('; ').filter(pair => pair !== '' && !pair.startsWith(cookiePrefix));
	return others.length === 0 ? rest : { ...rest, cookie: others.join('; ') };
}

function secret(): string {
	return randomBytes(32).toString('base64url');
}

/** In a time that tells nothing about how much was right. */
function isEqual(given: string, wanted: string): boolean {
	const [one, other] = [Buffer.from(given), Buffer.from(wanted)];
	return one.length === other.length && timingSafeEqual(one, other);
}
