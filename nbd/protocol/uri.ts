/** NBD URI specification: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/uri.md */
import { RouseError } from '../../model/errors.ts';

export type NbdAddress = { path: string } | { host: string; port: number };

export interface NbdTarget {
	address: NbdAddress;
	/** Empty: the server's default export. */
	exportName: string;
}

/** Registered with IANA for NBD. */
const defaultPort = 10809;

/** "Unix domain sockets" */
export function nbdUri(socketPath: string, exportName: string): string {
	return `nbd+unix:///${exportName}?socket=${encodeURIComponent(socketPath).replaceAll('%2F', '/')}`;
}

export function isNbdUri(text: string): boolean {
	return /^nbds?(\+[a-z]+)?:/i.test(text);
}

/**
 * Reads `nbd://HOST[:PORT]/EXPORT` and `nbd+unix:///EXPORT?socket=PATH`. Throws `usage` for everything else.
 */
export function parseNbdUri(text: string): NbdTarget {
	const uri = URL.parse(text);
	if (uri === null) throw refused(text, 'it is not a URI');
	if (uri.username || uri.password || uri.hash) throw refused(text, 'user names and fragments mean nothing here');
	const exportName = decoded(text, uri.pathname.replace(/^\//, ''));
	const parameters = parametersOf(text, uri.search);
	switch (uri.protocol) {
		case 'nbd:': {
			if (uri.hostname === '') throw refused(text, 'a host is missing');
			const [unknown] = parameters.keys();
			if (unknown !== undefined) throw refused(text, `the parameter "${unknown}" is not known`);
			// An IPv6 address stands in brackets in a URI, and without them everywhere else.
			const host = decoded(text, uri.hostname).replace(/^\[(.*)\]$/, '$1');
			return { address: { host, port: uri.port === '' ? defaultPort : Number(uri.port) }, exportName };
		}
		case 'nbd+unix:': {
			const path = parameters.get('socket');
			const unknown = [...parameters.keys()].find(name => name !== 'socket');
			if (unknown !== undefined) throw refused(text, `the parameter "${unknown}" is not known`);
			if (!path) throw refused(text, 'the parameter "socket" is missing');
			if (uri.host !== '') throw refused(text, 'a Unix socket has no host');
			return { address: { path }, exportName };
		}
		case 'nbds:':
		case 'nbds+unix:':
			throw refused(text, 'TLS is not supported');
		default:
			throw refused(text, `the scheme "${uri.protocol}" is not known`);
	}
}

/** Not URLSearchParams, which reads "+" as a space: QEMU and libnbd keep it, and paths have it. */
function parametersOf(text: string, search: string): Map<string, string> {
	const pairs = search
		.replace(/^\?/, '')
		.split('&')
		.filter(pair => pair !== '');
	return new Map(
		pairs.map(pair => {
			const [name = '', ...value] = pair.split('=');
			return [decoded(text, name), decoded(text, value.join('='))];
		}),
	);
}

function refused(text: string, why: string): RouseError {
	return new RouseError('usage', `"${text}": ${why}`, {
		hint: 'accepted: nbd://HOST[:PORT]/EXPORT and nbd+unix:///EXPORT?socket=PATH',
	});
}

function decoded(text: string, part: string): string {
	try {
		return decodeURIComponent(part);
	} catch (error) {
		if (error instanceof URIError) throw refused(text, `"${part}" is not proper percent encoding`);
		throw error;
	}
}
