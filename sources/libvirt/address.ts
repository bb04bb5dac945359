import { RouseError } from '../../model/errors.ts';
import { plainUri } from '../machine/plain-uri.ts';
import { decoded, isPath, readQuery } from '../qemu/address-query.ts';

/** A domain of this host's libvirt, and what of the host may be used. */
export interface LibvirtAddress {
	/** As it may be written down. */
	uri: string;
	/** Its name or its UUID. */
	domain: string;
	/** https://libvirt.org/drvqemu.html: of this host, since disks are read by a socket on it. */
	connect: string;
	/** Directory for what the guest overwrites while its disks are read; undefined: that of its first image. */
	scratch: string | undefined;
	/** Whether the guest's agent may be asked to have its file systems still. */
	freezes: boolean;
}

const form =
	'libvirt://DOMAIN, and behind it ?connect=qemu:///session, ?scratch=DIRECTORY or ?guest-agent=no, joined by &';
const local = /^qemu(?:\+unix)?:\/\/\/(?:system|session)(?:\?socket=\/[^?&\p{C}]{1,200})?$/u;
/** No `/`, which libvirt refuses; no `-` first, which would be an option of a program. */
const domainName = /^(?!-)[^\p{C}/]{1,200}$/u;

const queries = {
	connect: (value: string) => local.test(value),
	scratch: isPath,
	'guest-agent': (value: string) => value === 'no',
};

/** `libvirt://web01?connect=qemu:///session&scratch=/srv/scratch` */
export function parseLibvirtAddress(text: string): LibvirtAddress {
	const uri = plainUri(text);
	const refused = (why: string) => new RouseError('config_invalid', `${uri}: ${why}`, { hint: `accepted: ${form}` });
	const parsed = URL.parse(text);
	if (parsed === null || `${parsed.username}${parsed.port}${parsed.hash}` !== '' || !/^\/?$/.test(parsed.pathname))
		throw refused('it is more than the name of a domain');
	const domain = decoded(parsed.host);
	if (domain === undefined || !domainName.test(domain)) throw refused('it names no domain');
	const given = readQuery(parsed.search, queries, refused);
	return {
		uri,
		domain,
		connect: given.get('connect') ?? 'qemu:///system',
		scratch: given.get('scratch'),
		freezes: !given.has('guest-agent'),
	};
}
