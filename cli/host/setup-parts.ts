/** What a set-up of a host needs, of this installation and of the person at the terminal. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { buildAppliance } from '../../appliance/build.ts';
import { makeSeedDisk } from '../../appliance/first-boot/seed-disk.ts';
import { parseSeed } from '../../appliance/first-boot/seed.ts';
import { writeVhdx } from '../../appliance/vhdx-file.ts';
import { type HostKey, readCommand } from '../../hypervisors/hyperv/host-setup/host-keys.ts';
import { hostFiles } from '../../hypervisors/hyperv/host-setup/record.ts';
import type { SetupEvent, SetupParts } from '../../hypervisors/hyperv/host-setup/work.ts';
import { addHostId } from '../../system/configured-hosts.ts';
import { type Installation, places } from '../../system/installation.ts';
import type { Context } from '../terminal/command.ts';
import { admitOnce, planAccess, readAccess } from './given.ts';
import { diskProblems, nameProblems, refuseLocally, servedProblems } from './local-problems.ts';
import { mustBeOurs, withdrawOurs } from './own-access.ts';
import { untilReady } from './until-ready.ts';

export interface SetupOptions {
	identity?: string | undefined;
	hostKey?: string | undefined;
	appliance?: string | undefined;
}

const ready = {
	/** A first boot makes keys and file systems, on a disk that may be slow. */
	timeoutMs: 15 * 60_000,
	otherwise: 'the appliance runs, and does not come to Temporal',
	look: 'its console at the host (vmconnect), whose line `rouse-appliance-report` tells its addresses and services',
};

/** `tell` shows what goes on; whoever calls ends its progress. */
export function setupParts(
	context: Pick<Context, 'signal' | 'output'>,
	installation: Installation,
	name: string,
	options: SetupOptions & { tell: (event: SetupEvent) => void },
): SetupParts {
	const { home } = installation;
	const { signal, output } = context;
	const directory = join(places.hosts(home), name);
	const { access } = hostFiles(directory);
	return {
		directory,
		identityPath: options.identity === undefined ? undefined : resolve(options.identity),
		expectedHostKey: options.hostKey,
		confirmHostKey: key => askAboutKey(context, name, key, readCommand),
		precheck: async (wanted, known) => {
			await mustBeOurs(installation, name, access, known);
			const image = options.appliance === undefined ? undefined : resolve(options.appliance);
			const planned = await planAccess(installation);
			refuseLocally([
				...nameProblems(wanted, planned),
				...(await servedProblems(installation, planned)),
				...(await diskProblems(installation, image)),
			]);
		},
		image: async () => {
			if (options.appliance !== undefined) return resolve(options.appliance);
			const onLine = (line: string) => output.message(line);
			return (await buildAppliance({ cacheDirectory: installation.cacheDirectory, signal, onLine })).vhdxPath;
		},
		admit: async hostId => await admitOnce(installation, name, access, (await planAccess(installation)).to, hostId),
		seedText: async facts => {
			const given = await readAccess(await planAccess(installation), access);
			return JSON.stringify({ version: 0, kind: 'hyperv', ...facts, ...given });
		},
		writeSeed: async (path, text) => await writeSeedVhdx(path, raw => makeSeedDisk(raw, parseSeed(text))),
		ready: hostId => untilReady(installation, hostId, { ...ready, signal }),
		register: async hostId => await addHostId(installation, name, hostId),
		withdraw: record => withdrawOurs(installation, name, access, record),
		tell: options.tell,
		signal,
	};
}

async function writeSeedVhdx(path: string, makeRaw: (path: string) => Promise<void>): Promise<void> {
	const work = await mkdtemp(join(tmpdir(), 'rouse-seed-'));
	try {
		await makeRaw(join(work, 'seed'));
		await writeVhdx(join(work, 'seed'), path, randomBytes(32).toString('hex'), undefined);
	} finally {
		await rm(work, { recursive: true, force: true });
	}
}

/** No where nobody can be asked. */
export async function askAboutKey(
	{ signal }: Pick<Context, 'signal'>,
	name: string,
	{ fingerprint }: HostKey,
	how: string,
): Promise<boolean> {
	const { stdin, stderr } = process;
	if (!stdin.isTTY || !stderr.isTTY) return false;
	const lines = createInterface({ input: stdin, output: stderr });
	try {
		stderr.write(`${name} shows the key ${fingerprint}\nAt the host itself it is read by: ${how}\n`);
		return (await lines.question('Are they the same (yes or no)? ', { signal })).trim() === 'yes';
	} finally {
		lines.close();
	}
}
