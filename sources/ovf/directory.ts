/** An appliance whose files lie beside its description. */
import { basename, dirname, extname, join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';
import { type OpenedFile, openFile } from '../opened-file.ts';
import { absent, namesMeant } from './file-names.ts';
import type { OvfPackage } from './package.ts';

export function directoryPackage(descriptor: OpenedFile): OvfPackage {
	const place = dirname(descriptor.path);
	const stem = basename(descriptor.path, extname(descriptor.path));
	const openNamed = async (name: string) => {
		const file = await openFile(join(place, name), { follow: false });
		try {
			refuseForeign(file, descriptor);
			return file;
		} catch (error) {
			await file.handle.close();
			throw error;
		}
	};
	const firstOf = async (names: readonly string[]) => {
		for (const name of names) {
			const file = await openNamed(name).catch((error: unknown) => {
				if (isAbsent(error)) return undefined;
				throw error;
			});
			if (file !== undefined) return file;
		}
		return undefined;
	};
	return {
		descriptor,
		besides: ending => firstOf([stem + ending]),
		open: async name => {
			const file = await firstOf(namesMeant(name));
			if (file === undefined) throw absent(place, name);
			return file;
		},
		close: () => descriptor.handle.close(),
	};
}

/** Of openFile: there is no such file. */
function isAbsent(error: unknown): boolean {
	return error instanceof RouseError && isErrno(error.cause, 'ENOENT');
}

/** Who may not read a file does not have it read by naming it in a description. */
function refuseForeign({ path, found }: OpenedFile, { found: by }: OpenedFile): void {
	if (!found.isFile())
		throw new RouseError('source_invalid', `${path} is a device, and a part of an appliance must be a file`);
	if (by.uid === 0 || found.uid === by.uid || (found.mode & 0o004) !== 0) return;
	throw new RouseError('source_invalid', `${path} may not be read by user ${by.uid}, who owns its description`, {
		hint: 'give both to one owner',
	});
}
