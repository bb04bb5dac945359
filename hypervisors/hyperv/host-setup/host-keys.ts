/** The keys that a host shows to whoever asks, before anybody knows that it is the host. */
import { createHash } from 'node:crypto';
import { RouseError } from '../../../model/errors.ts';
import { runTool } from '../../../system/run-tool.ts';

export interface HostKey {
	/** As in known_hosts, without the host. */
	key: string;
	/** As `ssh-keygen -l` prints it: `SHA256:` and 43 characters. */
	fingerprint: string;
}

/** That which OpenSSH itself asks for first comes first. */
const preferred = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'ssh-rsa'];

/** Throws `hypervisor_failed` when nobody answers there. */
export async function scanHostKeys(host: string, port: number, signal?: AbortSignal): Promise<HostKey[]> {
	const { stdout, tail } = await runTool('ssh-keyscan', ['-T', '15', '-p', String(port), '--', host], {
		hint: 'apt-get install openssh-client',
		wholeMs: 60_000,
		signal,
	});
	const keys = parseHostKeys(stdout);
	if (keys.length > 0) return keys;
	throw new RouseError(
		'hypervisor_failed',
		`${host}:${port} shows no host key: ${tail.join(' ') || 'nobody answers'}`,
		{
			hint: 'look at its name and address, and start the OpenSSH server of that host (on Windows: Start-Service sshd)',
		},
	);
}

/** What ssh-keyscan(1) prints. */
export function parseHostKeys(text: string): HostKey[] {
	const keys = text.split('\n').flatMap(line => {
		const [, type, key] = line.trim().split(/\s+/);
		return type === undefined || key === undefined || line.startsWith('#') ? [] : [{ type, key }];
	});
	const rank = (type: string) => (preferred.includes(type) ? preferred.indexOf(type) : preferred.length);
	return keys
		.toSorted((one, other) => rank(one.type) - rank(other.type))
		.map(({ type, key }) => ({ key: `${type} ${key}`, fingerprint: fingerprintOf(key) }));
}

function fingerprintOf(key: string): string {
	const digest = createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64');
	return `SHA256:${digest.replace(/=+$/, '')}`;
}

/**
 * The one key that is pinned: that of the fingerprint which somebody has read at the host, else the one that `confirm` is
 * asked about. Throws `identity_conflict` when no key has the fingerprint, `precheck_failed` when nobody has said yes.
 */
export async function chooseHostKey(
	keys: readonly HostKey[],
	{
		expected,
		confirm,
		readCommand: read = readCommand,
	}: { expected: string | undefined; confirm: (key: HostKey) => Promise<boolean>; readCommand?: string },
): Promise<HostKey> {
	const shown = keys.map(({ key, fingerprint }) => `${fingerprint} (${key.split(' ')[0]})`).join(', ');
	if (expected !== undefined) {
		const found = keys.find(({ fingerprint }) => fingerprint === expected);
		if (found) return found;
		throw new RouseError('identity_conflict', `no key of the host is ${expected}; it shows ${shown}`, {
			hint: 'another machine has this address, or the fingerprint is of another key: read it at the host itself',
		});
	}
	const [first] = keys;
	if (first && (await confirm(first))) return first;
	throw new RouseError('precheck_failed', `nobody has said that this is the host; it shows ${shown}`, {
		hint: `read it at the host itself (${read}), and give it: --host-key ${first?.fingerprint ?? 'SHA256:…'}`,
	});
}

/** Throws `identity_conflict` when the key that was pinned before is not the one that somebody has read now. */
export function mustHaveFingerprint(pinned: string, expected: string | undefined): void {
	const known = fingerprintOf(pinned.split(' ')[1] ?? '');
	if (expected === undefined || expected === known) return;
	throw new RouseError('identity_conflict', `the host was added with the key ${known}, and not with ${expected}`, {
		hint: 'give the fingerprint of that time, or none; if that was another machine, remove the host and add it anew',
	});
}

export const readCommand = 'ssh-keygen -lf C:\\ProgramData\\ssh\\ssh_host_ed25519_key.pub';
