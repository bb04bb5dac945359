import { readFile, stat } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { createFileDurably, isErrno } from '../../system/durable-file.ts';

/** A build of OVMF: its code, which all machines share, and the empty variable store each begins with. */
export interface Firmware {
	codePath: string;
	varsPath: string;
}

/** Where distributions put OVMF without Secure Boot; 4 MiB builds first, since the others are being dropped. */
const places: readonly Firmware[] = [
	// Debian, Ubuntu: package ovmf
	{ codePath: '/usr/share/OVMF/OVMF_CODE_4M.fd', varsPath: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
	{ codePath: '/usr/share/OVMF/OVMF_CODE.fd', varsPath: '/usr/share/OVMF/OVMF_VARS.fd' },
	// Arch: package edk2-ovmf
	{ codePath: '/usr/share/edk2/x64/OVMF_CODE.4m.fd', varsPath: '/usr/share/edk2/x64/OVMF_VARS.4m.fd' },
	// Fedora, RHEL: package edk2-ovmf
	{ codePath: '/usr/share/edk2/ovmf/OVMF_CODE.fd', varsPath: '/usr/share/edk2/ovmf/OVMF_VARS.fd' },
	// QEMU's own installation
	{ codePath: '/usr/share/qemu/edk2-x86_64-code.fd', varsPath: '/usr/share/qemu/edk2-i386-vars.fd' },
];

export async function findFirmwares(candidates: readonly Firmware[] = places): Promise<Firmware[]> {
	const found: Firmware[] = [];
	for (const firmware of candidates)
		if ((await sizeOf(firmware.codePath)) !== undefined && (await sizeOf(firmware.varsPath)) !== undefined)
			found.push(firmware);
	return found;
}

/** The machine's own variable store (boot entries live there), made once from the first template. */
export async function createVariableStore(path: string, firmwares: readonly Firmware[]): Promise<void> {
	const firmware = firmwares[0];
	if (firmware === undefined) throw firmwareMissing();
	if ((await sizeOf(path)) !== undefined) return;
	await createFileDurably(path, await readFile(firmware.varsPath));
}

/**
 * The code that goes with a variable store: the two halves of a build have matching sizes, so the store says which
 * template it came from.
 */
export async function codeFor(varsPath: string, firmwares: readonly Firmware[]): Promise<string> {
	const bytes = await sizeOf(varsPath);
	if (bytes === undefined) throw new RouseError('machine_failed', `the variable store ${varsPath} is not there`);
	for (const firmware of firmwares) if ((await sizeOf(firmware.varsPath)) === bytes) return firmware.codePath;
	throw firmwareMissing(` for a variable store of ${bytes} bytes`);
}

export function firmwareMissing(what = ''): RouseError {
	return new RouseError('tool_missing', `no UEFI firmware${what} found`, { hint: 'apt-get install ovmf' });
}

async function sizeOf(path: string): Promise<number | undefined> {
	try {
		return (await stat(path)).size;
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
}
