import { access, constants, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { asRouseError } from '../../model/errors.ts';
import { isErrno, replaceFileDurably } from '../../system/durable-file.ts';
import { runTool } from '../../system/run-tool.ts';
import { installQemu } from './install.ts';

/** Whether guests really run under KVM here, and if not, why. */
export interface KvmProbe {
	works: boolean;
	reason: string;
}

const recordSchema = z.strictObject({
	bootId: z.string(),
	qemuVersion: z.string(),
	works: z.boolean(),
	reason: z.string(),
});

/**
 * Tries KVM by running code under it: /dev/kvm is also there on machines on which every guest dies at once (nested
 * virtualisation that is not complete). The answer holds for this boot and this QEMU, and is kept in `recordPath`.
 */
export async function probeKvm(systemBinary: string, qemuVersion: string, recordPath: string): Promise<KvmProbe> {
	const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
	const known = await readRecord(recordPath);
	if (known?.bootId === bootId && known.qemuVersion === qemuVersion)
		return { works: known.works, reason: known.reason };
	const probe = await tryKvm(systemBinary);
	await replaceFileDurably(recordPath, `${JSON.stringify({ bootId, qemuVersion, ...probe })}\n`);
	return probe;
}

async function readRecord(path: string): Promise<z.infer<typeof recordSchema> | undefined> {
	try {
		return recordSchema.safeParse(JSON.parse(await readFile(path, 'utf8'))).data;
	} catch (error) {
		// Only a memory of a question that can be asked again: one that cannot be read counts as none.
		if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
		throw error;
	}
}

async function tryKvm(systemBinary: string): Promise<KvmProbe> {
	try {
		await access('/dev/kvm', constants.R_OK | constants.W_OK);
	} catch (error) {
		const why = isErrno(error, 'EACCES') ? 'may not be opened by this user' : 'is not there';
		return { works: false, reason: `/dev/kvm ${why}` };
	}
	return runBootSector(systemBinary, 'kvm', 'host');
}

/** Written by the guest to the exit device; QEMU then ends with (code << 1) | 1: hw/misc/debugexit.c. */
const guestCode = 0x2a;
/** 16-bit code: cli; mov dx,0xf4; mov al,guestCode; out dx,al; hlt; jmp back to hlt. */
const program = [0xfa, 0xba, 0xf4, 0x00, 0xb0, guestCode, 0xee, 0xf4, 0xeb, 0xfd];
/** SeaBIOS does not start from a disk of a single sector. */
const diskBytes = 1024 * 1024;
/** Under TCG this takes 0.1 s; a guest that hangs under KVM hangs for ever. */
const probeTimeoutMs = 10_000;

/** Boots a disk whose only program ends QEMU with a code of our own. */
export async function runBootSector(systemBinary: string, accelerator: string, cpu: string): Promise<KvmProbe> {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-probe-'));
	try {
		const disk = Buffer.alloc(diskBytes);
		disk.set(program);
		disk.set([0x55, 0xaa], 510); // the mark of a boot sector
		const path = join(directory, 'disk.raw');
		await writeFile(path, disk);
		const { code, stderr } = await runTool(systemBinary, probeArguments(path, accelerator, cpu), {
			silenceMs: probeTimeoutMs,
			hint: installQemu,
		});
		if (code === ((guestCode << 1) | 1)) return { works: true, reason: `a guest ran under ${accelerator}` };
		const said = stderr.trim().split('\n')[0] ?? '';
		return { works: false, reason: `a guest died under ${accelerator} (exit code ${code}): ${said}` };
	} catch (thrown) {
		const error = asRouseError(thrown);
		if (error.code === 'tool_failed') return { works: false, reason: `under ${accelerator}: ${error.message}` };
		if (error.code !== 'timeout') throw thrown;
		return { works: false, reason: `a guest hung under ${accelerator} for ${probeTimeoutMs} ms` };
	} finally {
		await rm(directory, { recursive: true, force: true });
	}
}

function probeArguments(disk: string, accelerator: string, cpu: string): string[] {
	const drive = JSON.stringify({ driver: 'file', 'node-name': 'disk', filename: disk, 'read-only': true });
	return [
		['-accel', accelerator, '-cpu', cpu, '-machine', 'q35', '-m', '32'],
		['-nodefaults', '-no-user-config', '-display', 'none', '-monitor', 'none', '-serial', 'none', '-no-reboot'],
		['-device', 'isa-debug-exit,iobase=0xf4,iosize=1'],
		['-blockdev', drive, '-device', 'virtio-blk-pci,drive=disk,bootindex=0'],
	].flat();
}
