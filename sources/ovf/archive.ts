/** An appliance that is one archive (OVA): its files are read where they lie in it. */
import { basename, dirname, extname, join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { bytesAt, type OpenedFile, openFile, partOf } from '../opened-file.ts';
import { isTar, otherFileBytes, otherFileOf } from '../other-file.ts';
import { type PlacedMember, readTarIndex } from '../tar/tar-index.ts';
import { exchanged } from '../way-to-file.ts';
import { absent, namesMeant } from './file-names.ts';
import type { OvfPackage } from './package.ts';

export async function archivePackage(file: OpenedFile, signal: AbortSignal): Promise<OvfPackage> {
	await refuseOtherFile(file);
	const members = filesByName(file, await readTarIndex(file, signal));
	const descriptions = [...members.keys()].filter(name => /\.ovf$/i.test(name));
	const [name] = descriptions;
	if (name === undefined || descriptions.length > 1)
		throw new RouseError(
			'source_invalid',
			`${file.path} has ${descriptions.length === 0 ? 'no description' : 'several descriptions'} of a machine (.ovf) in it: ${(descriptions.length === 0 ? [...members.keys()] : descriptions).join(', ').slice(0, 500)}`,
			{
				hint: 'export the machine anew, or unpack it and import the disks',
			},
		);
	// The archive of a directory is read as well: names are those beside the description.
	const place = dirname(name);
	const stem = basename(name, extname(name));
	const open = async (wanted: string) => {
		const found = namesMeant(wanted)
			.map(one => join(place, one))
			.find(one => members.has(one));
		const member = found === undefined ? undefined : members.get(found);
		if (found === undefined || member === undefined) throw absent(file.path, wanted);
		return await reopened(file, found, member);
	};
	return {
		descriptor: memberOf(file, name, members),
		besides: async ending => {
			const ofThis = [...members.keys()]
				.filter(one => dirname(one) === place && one.endsWith(ending))
				.map(one => basename(one));
			const named = ofThis.find(one => one === stem + ending) ?? (ofThis.length === 1 ? ofThis[0] : undefined);
			return named === undefined ? undefined : await open(named);
		},
		open,
		close: () => file.handle.close(),
	};
}

/** Each by itself, so that each has a handle to close; what is there by now may be another archive. */
async function reopened({ path, state }: OpenedFile, name: string, member: PlacedMember): Promise<OpenedFile> {
	const file = await openFile(path, { follow: true });
	try {
		const { inode, device, sizeBytes, writtenNs } = file.state;
		const isSame =
			inode === state.inode &&
			device === state.device &&
			sizeBytes === state.sizeBytes &&
			writtenNs === state.writtenNs;
		if (!isSame) throw exchanged(path);
		return partOf(file, name, member);
	} catch (error) {
		await file.handle.close();
		throw error;
	}
}

function memberOf(file: OpenedFile, name: string, members: ReadonlyMap<string, PlacedMember>): OpenedFile {
	const member = members.get(name);
	if (member === undefined) throw absent(file.path, name);
	return partOf(file, name, member);
}

/** Directories and links do not count: what a description names is a file. */
function filesByName(file: OpenedFile, members: readonly PlacedMember[]): Map<string, PlacedMember> {
	const found = new Map<string, PlacedMember>();
	for (const member of members) {
		if (!['0', '7'].includes(member.type)) continue;
		const name = member.name.replace(/^(\.\/)+/, '');
		// What tar of macOS puts beside each file that has attributes, and calls like it (AppleDouble).
		if (basename(name).startsWith('._')) continue;
		if (/\p{Cc}/u.test(name))
			throw new RouseError('source_invalid', `${file.path} has a name in it with control characters`);
		if (found.has(name))
			throw new RouseError('source_invalid', `${file.path} has ${name} twice`, { hint: 'export the machine anew' });
		found.set(name, member);
	}
	return found;
}

/** A download that is compressed, or the page of a server in its place. */
async function refuseOtherFile(file: OpenedFile): Promise<void> {
	const head = await bytesAt(file, 0, otherFileBytes);
	const other = isTar(head) ? undefined : otherFileOf(head, basename(file.path), head.length < otherFileBytes);
	if (other === undefined) return;
	throw new RouseError('source_invalid', `${file.path} is no appliance: it is ${other.what}`, { hint: other.hint });
}
