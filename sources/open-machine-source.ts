import { fileURLToPath } from 'node:url';
import { RouseError } from '../model/errors.ts';
import type { ConfiguredSource, Credential } from '../system/machine-sources.ts';
import { exists } from '../system/if-there.ts';
import { mustBeSecret } from '../system/secret-file.ts';
import type { MachineSource } from './machine/contract.ts';
import { plainUri } from './machine/plain-uri.ts';

/** Where a machine is, and by what it is let in: a secret is only ever named here. */
export interface SourceAddress {
	uri: string;
	credential: Credential | null;
	/** Of kinds whose sources are single disks, and tell no configuration. */
	furtherDisks?: ConfiguredSource['furtherDisks'];
	configuration?: ConfiguredSource['configuration'];
	/** Of archives. */
	spoolPath?: ConfiguredSource['spoolPath'];
	/** Over SSH. */
	knownHostsPath?: ConfiguredSource['knownHostsPath'];
	snapshot?: ConfiguredSource['snapshot'];
}

type Open = (address: Required<SourceAddress>) => Promise<MachineSource>;

/** By the scheme of their addresses. Loaded when one is opened: who imports from one platform needs no other's code. */
const kinds: Readonly<Record<string, Open>> = {
	ec2: async ({ uri, credential }) => {
		const { openEc2Source } = await import('./ec2/open.ts');
		return openEc2Source(uri, await awsAccess(credential));
	},
	'ec2-snapshot': async ({ uri, credential }) => {
		const { openEc2SnapshotSource } = await import('./ec2/open.ts');
		return openEc2SnapshotSource(uri, await awsAccess(credential));
	},
	gs: async ({ uri, furtherDisks, configuration, credential, spoolPath }) => {
		const { openGceSource } = await import('./gce/open.ts');
		const access = { credentialPath: credential?.path ?? null, spoolDirectory: spoolPath };
		return openGceSource({ archives: [uri, ...furtherDisks], configuration }, access);
	},
	libvirt: async ({ uri, credential }) => {
		if (credential !== null)
			throw new RouseError(
				'config_invalid',
				`${plainUri(uri)} needs no credential: who may connect to libvirt's socket is let in`,
			);
		const { LibvirtMachineSource } = await import('./libvirt/source.ts');
		return new LibvirtMachineSource(uri);
	},
	'qemu+qmp': async ({ uri, credential }) => {
		if (credential !== null)
			throw new RouseError(
				'config_invalid',
				`${plainUri(uri)} needs no credential: who may use a monitor's socket is let in`,
			);
		const { QemuMachineSource } = await import('./qemu/source.ts');
		return new QemuMachineSource(uri);
	},
	simulated: async ({ uri, credential }) => {
		const { SimulatedMachineSource } = await import('./simulated-machine/source.ts');
		return new SimulatedMachineSource(directoryIn(uri), { credential: credential?.path });
	},
	ssh: async ({ uri, credential, knownHostsPath, snapshot }) => {
		const { openSshSource } = await import('./ssh/open.ts');
		return openSshSource({ uri, identityPath: credential?.path, knownHostsPath, snapshot: snapshot === null });
	},
};

/**
 * The machine source at an address. Nothing is asked of its platform yet. `config_invalid` for an address of no kind, and for a
 * credential whose file is not there, or may be read by others.
 */
export async function openMachineSource(address: SourceAddress): Promise<MachineSource> {
	const { uri, credential, furtherDisks = [], configuration = null, spoolPath = null } = address;
	const { knownHostsPath = null, snapshot = null } = address;
	const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1]?.toLowerCase() ?? '';
	const open = Object.hasOwn(kinds, scheme) ? kinds[scheme] : undefined;
	if (open === undefined)
		throw new RouseError('config_invalid', `${plainUri(uri)} is no address of a machine source`, {
			hint: `known are ${Object.keys(kinds)
				.map(kind => `${kind}://`)
				.join(', ')}`,
		});
	if (scheme !== 'gs' && (furtherDisks.length > 0 || configuration !== null))
		throw new RouseError(
			'config_invalid',
			`${plainUri(uri)} is a whole machine: it has all disks, and its configuration`,
			{
				hint: 'furtherDisks and configuration are for gs:// alone; what a person says of it is its spec',
			},
		);
	if (credential !== null) await mustBeThere(credential);
	return open({ uri, credential, furtherDisks, configuration, spoolPath, knownHostsPath, snapshot });
}

async function mustBeThere({ name, path }: Credential): Promise<void> {
	await mustBeSecret(path);
	if (await exists(path)) return;
	throw new RouseError('config_invalid', `there is no ${path}, the file of credential ${name}`, {
		hint: 'a path under credentials is below the home of Rouse, or begins with /: none is an address, and ~ is no home',
	});
}

/** Without a credential AWS's SDK looks for one itself. */
async function awsAccess(credential: Credential | null) {
	if (credential === null) return {};
	const { readAwsCredentials } = await import('./ec2/credential-file.ts');
	return { credentials: await readAwsCredentials(credential.path) };
}

/** `simulated:///srv/machine`. */
function directoryIn(uri: string): string {
	const { host, pathname } = new URL(uri);
	if (host === '' && pathname.startsWith('/')) return fileURLToPath(new URL(`file://${pathname}`));
	throw new RouseError('config_invalid', `${plainUri(uri)} names no directory: write simulated:///DIRECTORY`);
}
