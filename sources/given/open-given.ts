import { basename } from 'node:path';
import type { StatedSpec } from '../../model/machine.ts';
import type { OpenedDisk } from '../disk-facts.ts';
import type { LookProgress } from '../image-check.ts';
import type { Configured } from '../machine/config.ts';
import { originOf } from '../machine-spec.ts';
import { openSource } from '../open-source.ts';
import { isApplianceName } from '../ovf/file-names.ts';
import type { GivenDisks, GivenLook } from './given-disks.ts';
import { missingName } from './refuse-given.ts';

/** What an import is made of: the disks that were named, or the one machine that was, with what it tells of itself. */
export interface GivenMachine {
	configured: Configured;
	disks: OpenedDisk[];
	/** What people call the disks. */
	names: readonly string[];
}

/** Nothing is left open when it fails. */
export async function openGiven(given: GivenDisks, look: GivenLook): Promise<GivenMachine> {
	const appliance = given.sources.find(isApplianceName);
	return appliance === undefined ? await openDisks(given, look) : await openMachine(appliance, given, look);
}

async function openDisks(given: GivenDisks, look: GivenLook): Promise<GivenMachine> {
	const { sources, machine } = given;
	if (machine === undefined) throw missingName();
	const configuration = await configurationNamed(given, look);
	const disks: OpenedDisk[] = [];
	try {
		for (const text of sources) disks.push(await openDisk(text, given, look));
		for (const doubt of configuration?.doubts(disks) ?? []) look.onDoubt(doubt);
		return { configured: configuredOf(machine, given, configuration?.told ?? {}, disks), disks, names: sources };
	} catch (error) {
		await Promise.all(disks.map(disk => disk.close()));
		throw error;
	}
}

async function configurationNamed({ configuration, credentialPath }: GivenDisks, { signal }: GivenLook) {
	if (configuration === undefined) return undefined;
	const { readGceConfiguration } = await import('../gce/open.ts'); // most imports have no use for Google's library
	return readGceConfiguration(configuration, credentialPath, signal);
}

function openDisk(text: string, given: GivenDisks, look: GivenLook): Promise<OpenedDisk> {
	const { format, withBacking, partial, credentialPath, spoolDirectory } = given;
	const { signal, onNote: onReference, onDoubt } = look;
	const onLook = (progress: LookProgress) => look.onLook(`tables of ${basename(progress.path)}`, progress);
	const trust = { format, withBacking, partial, onReference, onDoubt };
	return openSource(text, { ...trust, credentialPath, spoolDirectory, signal, onLook });
}

async function openMachine(appliance: string, given: GivenDisks, look: GivenLook): Promise<GivenMachine> {
	const { openAppliance } = await import('../ovf/appliance.ts'); // most imports have no description
	const found = await openAppliance(appliance, {
		...look,
		onLook: progress => look.onLook(`tables of ${basename(progress.path)}`, progress),
		onCompare: progress => look.onLook(`digest of ${basename(progress.path)}`, progress),
	});
	const disks = found.disks.map(({ disk }) => disk);
	const machine = given.machine ?? found.name;
	if (machine === undefined) {
		await Promise.all(disks.map(disk => disk.close()));
		throw missingName('its own name is none that a machine may have here');
	}
	const told = { ...found.stated, drivers: found.drivers };
	return { configured: configuredOf(machine, given, told, disks), disks, names: found.disks.map(({ text }) => text) };
}

/** Its origin is what its disks are called: of the machine itself nobody tells. */
function configuredOf(
	machine: string,
	{ stated: spec }: GivenDisks,
	config: StatedSpec,
	disks: readonly OpenedDisk[],
): Configured {
	const { kind, detail: name } = originOf(disks);
	const known = disks.map(({ facts: { serial, sectors = null } }) => ({ serial, sectors }));
	return { machine, spec, described: { kind, name, config, disks: known } };
}
