import { access, constants } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { ScriptedPlatform } from './far/scripted-platform.ts';
import { SshFarSide } from './far/ssh.ts';
import { SshMachineSource } from './source.ts';
import { parseSshUri } from './uri.ts';

export interface SshSource {
	/** `ssh://user@host:port/`. */
	uri: string;
	/** Of the private key that it lets in. */
	identityPath: string | undefined;
	/** The machine's own keys: no other is taken. */
	knownHostsPath: string | null;
	/** `false`: the disks are read while they are written to. */
	snapshot: boolean;
}

/** Connects when it is asked for something. Throws `config_invalid` for what is no such address, or is without a key on either side. */
export async function openSshSource(source: SshSource): Promise<SshMachineSource> {
	const { uri, identityPath, knownHostsPath, snapshot } = source;
	const { user, host, port, uri: shown } = parseSshUri(uri);
	if (identityPath === undefined)
		throw new RouseError('config_invalid', `nothing says by which key ${shown} lets us in`, {
			hint: 'credential: NAME, and under credentials NAME: {file: …}, which is the private key',
		});
	await mustBeReadable(identityPath, 'the private key');
	if (knownHostsPath === null) throw new RouseError('config_invalid', `nothing says what the keys of ${shown} are`);
	await mustBeReadable(knownHostsPath, "the machine's keys");
	const far = new SshFarSide({ user, host, port, identityPath, knownHostsPath });
	return new SshMachineSource({ uri: shown, platform: new ScriptedPlatform(far), snapshot });
}

/** What ssh says of a file that it cannot read is that the machine is another one, or does not let us in. */
async function mustBeReadable(path: string, what: string): Promise<void> {
	try {
		await access(path, constants.R_OK);
	} catch (cause) {
		throw new RouseError('config_invalid', `${path} cannot be read, which should be ${what}`, { cause });
	}
}
