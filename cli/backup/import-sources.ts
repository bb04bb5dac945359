/** What an import is made of: the disks that were named, or the one machine that was, with what it tells of itself. */
import { basename } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import type { StatedSpec } from '../../model/machine.ts';
import type { OpenedDisk } from '../../sources/disk-facts.ts';
import type { LookProgress } from '../../sources/image-check.ts';
import type { ImageTrust } from '../../sources/image-layers.ts';
import { type MachineSpec, specOf, unstated } from '../../sources/machine-spec.ts';
import { openSource } from '../../sources/open-source.ts';
import { isApplianceName } from '../../sources/ovf/file-names.ts';
import { isGsUri } from '../../sources/gce/address.ts';
import type { Context } from '../terminal/command.ts';

export interface ChosenSources {
	sources: readonly string[];
	/** Undefined where nobody said it: an appliance has a name. */
	machine: string | undefined;
	/** What the person states of it. */
	stated: StatedSpec;
	format: ImageTrust['format'];
	withBacking: boolean | undefined;
	partial: boolean | undefined;
	/** The instance whose configuration it has, by its address. */
	configuration: string | undefined;
	/** What lets in at platforms, if anything was named. */
	credentialPath: string | null;
	/** Where archives of a cloud are kept as they are fetched. */
	spoolDirectory: string | null;
}

export interface OpenedSources {
	machine: string;
	spec: MachineSpec;
	/** Members of it that nobody stated. */
	assumed: readonly string[];
	driversOfSource: readonly string[];
	disks: OpenedDisk[];
	/** What people call the disks. */
	names: readonly string[];
}

/** What can be refused before anything is opened. */
export function refuseChoice(chosen: ChosenSources): void {
	const appliance = chosen.sources.find(isApplianceName);
	if (appliance !== undefined) refuseBeside(appliance, chosen);
	else if (chosen.machine === undefined) throw missingName();
	if (chosen.credentialPath !== null && chosen.configuration === undefined && !chosen.sources.some(isGsUri))
		throw new RouseError('usage', '--credential lets in at gs:// and gce://, and none is named');
	if (chosen.spoolDirectory !== null && !chosen.sources.some(isGsUri))
		throw new RouseError('usage', '--spool keeps what is fetched from gs://, and none is named');
}

/** Nothing is left open when it fails. */
export async function openSources(context: Context, chosen: ChosenSources): Promise<OpenedSources> {
	const { sources, machine, stated } = chosen;
	const appliance = sources.find(isApplianceName);
	if (appliance !== undefined) return await machineOf(context, appliance, chosen);
	if (machine === undefined) throw missingName();
	const configuration = await configurationNamed(context, chosen);
	const disks: OpenedDisk[] = [];
	try {
		for (const text of sources) disks.push(await lookedAt(context, text, chosen));
		for (const doubt of configuration?.doubts(disks) ?? []) context.output.warn(doubt);
		const told: StatedSpec = configuration?.told ?? {};
		const { drivers: driversOfSource = [], ...ofSource } = told;
		const assumed = unstated(stated, ofSource);
		return { machine, spec: specOf(stated, ofSource), assumed, driversOfSource, disks, names: sources };
	} catch (error) {
		await Promise.all(disks.map(disk => disk.close()));
		throw error;
	}
}

async function configurationNamed({ signal }: Context, { configuration, credentialPath }: ChosenSources) {
	if (configuration === undefined) return undefined;
	const { readGceConfiguration } = await import('../../sources/gce/open.ts'); // most imports have no use for Google's library
	return readGceConfiguration(configuration, credentialPath, signal);
}

async function machineOf(context: Context, appliance: string, chosen: ChosenSources): Promise<OpenedSources> {
	const { output, signal } = context;
	const progress = output.progress('looking at');
	try {
		const { openAppliance } = await import('../../sources/ovf/appliance.ts'); // most imports have no description
		const found = await openAppliance(appliance, {
			signal,
			onNote: message => output.message(message),
			onDoubt: warning => output.warn(warning),
			onLook: ({ path, doneBytes, totalBytes }) =>
				progress.update({ done: doneBytes, total: totalBytes, note: `tables of ${basename(path)}` }),
			onCompare: ({ path, doneBytes, totalBytes }) =>
				progress.update({ done: doneBytes, total: totalBytes, note: `digest of ${basename(path)}` }),
		});
		const disks = found.disks.map(({ disk }) => disk);
		const machine = chosen.machine ?? found.name;
		if (machine === undefined) {
			await Promise.all(disks.map(disk => disk.close()));
			throw missingName('its own name is none that a machine may have here');
		}
		const names = found.disks.map(({ text }) => text);
		const spec = specOf(chosen.stated, found.stated);
		const assumed = unstated(chosen.stated, found.stated);
		return { machine, spec, assumed, driversOfSource: found.drivers, disks, names };
	} finally {
		progress.end();
	}
}

/** It is a machine, whose disks are what it says. */
function refuseBeside(
	appliance: string,
	{ sources, format, withBacking, partial, configuration }: ChosenSources,
): void {
	if (sources.length > 1 || configuration !== undefined)
		throw new RouseError('usage', `${appliance} is a whole machine, and nothing else is imported with it`);
	const option = format !== undefined ? '--format' : withBacking ? '--with-backing' : partial ? '--partial' : undefined;
	if (option === undefined) return;
	throw new RouseError('usage', `${option} is for images, and ${appliance} is an appliance`, {
		hint: `unpack it, and import its disks with ${option}`,
	});
}

function missingName(why?: string): RouseError {
	return new RouseError('usage', `--machine NAME is missing${why === undefined ? '' : `: ${why}`}`, {
		hint: 'rouse backup import --help shows what is accepted',
	});
}

/** Of a large image on slow storage even the tables take long. */
async function lookedAt(
	{ output, signal }: Context,
	text: string,
	{ format, withBacking, partial, credentialPath, spoolDirectory }: ChosenSources,
): Promise<OpenedDisk> {
	const progress = output.progress('looking at');
	const onLook = ({ path, doneBytes, totalBytes }: LookProgress) =>
		progress.update({ done: doneBytes, total: totalBytes, note: `tables of ${basename(path)}` });
	const onReference = (message: string) => output.message(message);
	const onDoubt = (warning: string) => output.warn(warning);
	try {
		const trust = { format, withBacking, partial, onReference, onDoubt };
		return await openSource(text, { ...trust, credentialPath, spoolDirectory, signal, onLook });
	} finally {
		progress.end();
	}
}
