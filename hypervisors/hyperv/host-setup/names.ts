/** What a set-up calls its things on Windows. */
import type { HostRecord } from './record.ts';

export interface SetupNames {
	/** Of the machine and of the internal switch. */
	machine: string;
	/** Of the machine and its disks, in the datastore. */
	directory: string;
	disk: string;
	seed: string;
}

export function setupNames({ name, datastore }: Pick<HostRecord['wanted'], 'name' | 'datastore'>): SetupNames {
	const machine = `rouse-${name}`;
	const directory = `${datastore.replace(/\\+$/, '')}\\appliance-${name}`;
	return { machine, directory, disk: `${directory}\\appliance.vhdx`, seed: `${directory}\\seed.vhdx` };
}

/** Under this name a file is sent: of another content it is another, so that no two are mixed. */
export function partOf(path: string, sha256: string): string {
	return `${path}.${sha256.slice(0, 16)}.part`;
}

/**
 * The line of administrators_authorized_keys: nothing but programs, and from the appliance's address alone (sshd(8),
 * AUTHORIZED_KEYS FILE FORMAT). The comment says whose it is.
 */
export function keyLine(publicKey: string, { setupId, network }: Pick<HostRecord, 'setupId' | 'network'>): string {
	const [type = '', key = ''] = publicKey.trim().split(/\s+/);
	return `restrict,from="${network.applianceAddress}" ${type} ${key} rouse-setup-${setupId}`;
}

/** For known_hosts: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT. */
export function knownHostLine(host: string, port: number, key: string): string {
	return `${port === 22 ? host : `[${host}]:${port}`} ${key}`;
}
