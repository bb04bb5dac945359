/**
 * `node host-setup-child.ts RUN`: adds or removes a host as the JSON in RUN says, and kills itself at the end of the step that it
 * names. Prints its answer as a line of JSON; an error of ours too, with exit code 1.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeVhdx } from '../../appliance/vhdx-file.ts';
import { addHost } from '../../hypervisors/hyperv/host-setup/add.ts';
import type { WantedHost } from '../../hypervisors/hyperv/host-setup/record.ts';
import { removeHost } from '../../hypervisors/hyperv/host-setup/remove.ts';
import type { SetupEvent, SetupParts } from '../../hypervisors/hyperv/host-setup/work.ts';
import { asRouseError } from '../../model/errors.ts';

export interface SetupRun {
	what: 'add' | 'remove';
	wanted: WantedHost;
	directory: string;
	identityPath: string;
	hostKey?: string;
	/** Of the appliance's disk. */
	image: string;
	killAt?: string;
}

/** The seed is as large as a real one, and needs none of its tools. */
async function writeSeed(path: string, text: string): Promise<void> {
	const content = Buffer.alloc(2 * 2 ** 20);
	content.write(text);
	await writeFile(`${path}.raw`, content);
	await writeVhdx(`${path}.raw`, path, 'ab'.repeat(32), undefined);
	await rm(`${path}.raw`);
}

export function setupParts(run: SetupRun, tell: (event: SetupEvent) => void): SetupParts {
	const access = join(run.directory, 'access');
	return {
		directory: run.directory,
		identityPath: run.identityPath,
		expectedHostKey: run.hostKey,
		confirmHostKey: async () => false,
		precheck: async () => undefined,
		image: async () => run.image,
		admit: async () => void (await mkdir(access, { recursive: true })),
		seedText: async facts => JSON.stringify(facts),
		writeSeed,
		ready: async () => undefined,
		register: async () => undefined,
		withdraw: async () => undefined,
		tell,
		signal: new AbortController().signal,
	};
}

if (import.meta.main) {
	const run: SetupRun = JSON.parse(process.argv[2] ?? '');
	const parts = setupParts(run, event => {
		if (event.type === 'step' && event.at === 'end' && event.step === run.killAt) process.kill(process.pid, 'SIGKILL');
	});
	try {
		const answer =
			run.what === 'add' ? await addHost(run.wanted, parts) : await removeHost(parts, { dryRun: false, forget: false });
		console.log(JSON.stringify(answer));
	} catch (thrown) {
		console.log(JSON.stringify(asRouseError(thrown).toDocument()));
		process.exitCode = 1;
	}
}
