/** A machine as other programs hand it over (OVA, OVF): its description, its disks in place, nothing unpacked. */
import { basename, resolve } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import type { StatedSpec } from '../../model/machine.ts';
import type { SourceExtent } from '../../repository/import/disk-source.ts';
import type { OpenedDisk } from '../disk-facts.ts';
import { openImage } from '../image.ts';
import type { Look } from '../image-check.ts';
import type { OpenedFile } from '../opened-file.ts';
import { maxDescriptorBytes, parseDescriptor } from './descriptor.ts';
import type { OvfDisk } from './disks.ts';
import {
	type Comparing,
	type Comparison,
	compareDigests,
	type ManifestLine,
	maxManifestBytes,
	parseManifest,
} from './manifest.ts';
import { openPackage, textOf } from './open-package.ts';
import type { OvfPackage } from './package.ts';

export interface Appliance {
	/** As a machine of ours may be called; undefined where its own name is none. */
	name: string | undefined;
	stated: StatedSpec;
	drivers: string[];
	/** In the order in which its firmware meets them, and what each is called. */
	disks: { disk: OpenedDisk; text: string }[];
}

export interface ApplianceLook extends Look, Comparing {
	/** Told of what is as it is, by a sentence. */
	onNote: (message: string) => void;
	/** Told of what may be wrong. */
	onDoubt: (warning: string) => void;
}

/**
 * Opens its disks. Errors: `source_invalid` when it is no appliance of one machine, is cut, or is not what its manifest says; and
 * those of {@link openImage}.
 */
export async function openAppliance(source: string, look: ApplianceLook): Promise<Appliance> {
	const packed = await openPackage(resolve(source), look.signal);
	// By their names in the description: what was opened, and has no disk yet that closes it.
	const files = new Map<string, OpenedFile>();
	const disks: Appliance['disks'] = [];
	try {
		const { path } = packed.descriptor;
		const machine = parseDescriptor(await textOf(packed.descriptor, maxDescriptorBytes), path);
		for (const doubt of machine.doubts) look.onDoubt(`${path}: ${doubt}`);
		for (const told of machine.disks) {
			if (told.href === undefined) continue;
			const file = await packed.open(told.href);
			if ([...files.values()].some(other => other.path === file.path)) {
				await file.handle.close();
				throw new RouseError('source_invalid', `${path}: two of its disks are in ${basename(file.path)}`, {
					hint: 'export it anew',
				});
			}
			files.set(told.href, file);
		}
		await compare(packed, files, look);
		for (const told of machine.disks) {
			const file = files.get(told.href ?? '');
			files.delete(told.href ?? '');
			const disk = file === undefined ? emptyDisk(told.capacityBytes ?? 0) : await openDisk(told, file, look);
			const text = file === undefined ? `an empty disk of ${exactBytes(disk.sizeBytes)}` : basename(file.path);
			disks.push({ disk, text });
			look.onNote(`disk ${disks.length}: ${text} (${told.place})`);
		}
		const { name, stated, drivers } = machine;
		return { name, stated, drivers, disks };
	} catch (error) {
		await Promise.all(disks.map(({ disk }) => disk.close()));
		throw error;
	} finally {
		await Promise.all([...files.values()].map(file => file.handle.close()));
		await packed.close();
	}
}

const exportAnew = 'copy it again, whole, or export the machine anew';

async function openDisk(
	{ format, capacityBytes }: OvfDisk,
	file: OpenedFile,
	{ signal, onLook, onDoubt }: ApplianceLook,
): Promise<OpenedDisk> {
	const disk = await openImage(file, { format, signal, onLook, onDoubt }).catch((error: unknown) => {
		// Options that are for images alone are no help here.
		if (!(error instanceof RouseError) || !error.hint?.includes('--')) throw error;
		throw new RouseError(error.code, error.message, { hint: exportAnew, details: error.details, cause: error });
	});
	// Some programs round it up, to whole GiB.
	if (capacityBytes !== undefined && Math.abs(capacityBytes - disk.sizeBytes) >= 2 ** 30)
		onDoubt(
			`${file.path} is a disk of ${exactBytes(disk.sizeBytes)}, and the description says ${exactBytes(capacityBytes)}`,
		);
	return { ...disk, facts: { ...disk.facts, origin: { ...disk.facts.origin, kind: 'appliance' } } };
}

/** One that a description has without a file. */
function emptyDisk(sizeBytes: number): OpenedDisk {
	return {
		sizeBytes,
		facts: { origin: { kind: 'appliance', detail: 'an empty disk' }, serial: null },
		async *extents() {
			yield { offsetBytes: 0, lengthBytes: sizeBytes, kind: 'zero' } satisfies SourceExtent;
		},
		read: async (_offsetBytes, into) => {
			into.fill(0);
		},
		moment: 'empty',
		close: async () => {},
	};
}

/** `disks`: files that are open, and stay so. */
async function compare(packed: OvfPackage, disks: ReadonlyMap<string, OpenedFile>, look: ApplianceLook): Promise<void> {
	const certificate = await packed.besides('.cert');
	await certificate?.handle.close();
	if (certificate !== undefined) look.onNote(`${certificate.path} is not looked at: who signed it is not checked`);
	const manifest = await packed.besides('.mf');
	if (manifest === undefined) {
		look.onDoubt(`${packed.descriptor.path} has no manifest (.mf): whether its files are whole is not compared`);
		return;
	}
	const others = [manifest];
	// By what they are called, where the description has the same as an address; it itself is compared as it was read.
	const openFiles = new Map([
		...disks,
		...[packed.descriptor, ...disks.values()].map(file => [basename(file.path), file] as const),
	]);
	try {
		const lines = parseManifest((await textOf(manifest, maxManifestBytes)).toString('utf8'), manifest.path);
		const comparisons: Comparison[] = [];
		for (const line of lines) {
			// Some lists have themselves, with the digest of what they were before that.
			if (line.name === basename(manifest.path)) continue;
			const known = openFiles.get(line.name);
			const file = known ?? (await otherFile(packed, line, manifest.path, look));
			if (file === undefined) continue;
			if (known === undefined) others.push(file);
			comparisons.push({ ...line, file });
		}
		for (const [href, disk] of disks)
			if (!comparisons.some(({ file }) => file === disk))
				look.onDoubt(`${manifest.path} does not have ${href}: whether it is whole is not compared`);
		const inOrder = comparisons.toSorted((a, b) => (a.file.part?.atBytes ?? 0) - (b.file.part?.atBytes ?? 0));
		await compareDigests(inOrder, basename(manifest.path), look);
	} finally {
		await Promise.all(others.map(file => file.handle.close()));
	}
}

/** What is no disk may be missing, as the NVRAM and CDs of a machine often are. */
async function otherFile(
	packed: OvfPackage,
	{ name }: ManifestLine,
	manifest: string,
	{ onDoubt }: ApplianceLook,
): Promise<OpenedFile | undefined> {
	try {
		return await packed.open(name);
	} catch (error) {
		if (!(error instanceof RouseError)) throw error;
		onDoubt(`${manifest} names what cannot be compared: ${error.message}`);
		return undefined;
	}
}
