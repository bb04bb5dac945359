/** `addLinuxHost` for a process that may be killed: all that it needs in one document. */
import { addLinuxHost } from '../../cli/host/linux/add.ts';
import type { WantedLinuxHost } from '../../cli/host/linux/record.ts';
import type { LinuxParts } from '../../cli/host/linux/work.ts';
import type { ProgramArchive } from '../../appliance/program-archive.ts';
import { openInstallation } from '../../system/installation.ts';

export interface LinuxHostTry {
	home: string;
	wanted: WantedLinuxHost;
	identityPath: string;
	hostKey: string;
	archive: ProgramArchive;
}

export async function linuxParts({ home, identityPath, hostKey, archive }: LinuxHostTry): Promise<LinuxParts> {
	return {
		installation: await openInstallation(home),
		identityPath,
		expectedHostKey: hostKey,
		confirmHostKey: async () => false,
		installPackages: false,
		precheck: async () => undefined,
		archive: async () => archive,
		ready: async () => undefined,
		tell: () => undefined,
		signal: new AbortController().signal,
	};
}

export async function addLinuxForTest(what: LinuxHostTry): Promise<boolean> {
	return (await addLinuxHost(what.wanted, await linuxParts(what))).added;
}
