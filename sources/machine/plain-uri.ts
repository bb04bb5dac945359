/** A URI's scheme, whom and what it names before its path, and the rest: RFC 3986, 3. */
const parts = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)(.*)$/is;
/** A user without a password, a host, perhaps a port. */
const withoutPassword = /^(?:[^:@]*@)?[^:@]*$|^[^:@]*@[^:@]*:\d+$/;

/**
 * A source's address as it may be written down: without password, query and fragment, any of which may be a secret. Where nobody
 * can say what is a password – one may have been written with a `/`, `?` or `#` in it, as it must not – only the scheme is left.
 */
export function plainUri(uri: string): string {
	const found = parts.exec(uri);
	if (found === null) return uri;
	const [, scheme = '', authority = '', rest = ''] = found;
	if (!URL.canParse(uri) || (rest.includes('@') && !withoutPassword.test(authority))) return scheme;
	const at = authority.lastIndexOf('@');
	const user = authority.slice(0, Math.max(0, at)).split(':')[0] ?? '';
	const path = rest.split(/[?#]/)[0] ?? '';
	return `${scheme}${user === '' ? '' : `${user}@`}${authority.slice(at + 1)}${path}`;
}
