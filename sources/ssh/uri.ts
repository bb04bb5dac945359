import { RouseError } from '../../model/errors.ts';

export interface SshAddress {
	user: string;
	host: string;
	port: number;
	/** As it may be written down. */
	uri: string;
}

/** `ssh://user@host:port/`; root and 22 where they are not said. Throws `config_invalid`. */
export function parseSshUri(text: string): SshAddress {
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (url?.protocol !== 'ssh:' || url.hostname === '') throw refused('is no address as ssh://user@host/');
	if (url.password !== '') throw refused('has a password in it: keys alone are taken');
	if (url.pathname !== '' && url.pathname !== '/') throw refused('names a path: a machine is read as a whole');
	if (url.search !== '' || url.hash !== '') throw refused('says more than user, host and port');
	const user = url.username === '' ? 'root' : url.username;
	if (!/^[a-z_][a-z0-9_.-]{0,31}$/i.test(user)) throw refused('has no name of a user before the @');
	// Of an IPv6 address without its brackets, as OpenSSH takes it.
	const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
	if (!/^[a-z0-9][a-z0-9.:-]*$|^::[a-f0-9:.]*$/i.test(host)) throw refused('has no name of a host');
	const port = url.port === '' ? 22 : Number(url.port);
	const shown = host.includes(':') ? `[${host}]` : host;
	return { user, host, port, uri: `ssh://${user}@${shown}${port === 22 ? '' : `:${port}`}/` };
}

/** What is refused may have a secret in it, so it is not repeated. */
function refused(why: string): RouseError {
	return new RouseError('config_invalid', `the address of the source ${why}`);
}
