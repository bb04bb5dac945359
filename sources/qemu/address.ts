import { RouseError } from '../../model/errors.ts';
import { plainUri } from '../machine/plain-uri.ts';
import { decoded, isPath, readQuery } from './address-query.ts';

/** Where a running QEMU is asked, and what of its host it may use. */
export interface QemuAddress {
	/** As it may be written down. */
	uri: string;
	/** Of a QMP monitor that nobody else uses. */
	monitor: string;
	/** Directory for what the guest overwrites while its disks are read; undefined: that of its first image. */
	scratch: string | undefined;
	/** Of the guest's agent; undefined: it is not asked. */
	agent: string | undefined;
}

const form = 'qemu+qmp:///MONITOR, and behind it ?scratch=DIRECTORY or ?guest-agent=SOCKET, joined by &';

/** `qemu+qmp:///run/web01/backup.sock?scratch=/srv/scratch&guest-agent=/run/web01/agent.sock` */
export function parseQemuAddress(text: string): QemuAddress {
	const uri = plainUri(text);
	const refused = (why: string) => new RouseError('config_invalid', `${uri}: ${why}`, { hint: `accepted: ${form}` });
	const parsed = URL.parse(text);
	if (parsed === null || parsed.host !== '' || parsed.hash !== '') throw refused('it names no socket of this host');
	const monitor = decoded(parsed.pathname);
	if (monitor === undefined || !isPath(monitor)) throw refused('it names no socket');
	const given = readQuery(parsed.search, { scratch: isPath, 'guest-agent': isPath }, refused);
	return { uri, monitor, scratch: given.get('scratch'), agent: given.get('guest-agent') };
}
