import { open, rm } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { type MachineParts, userOf } from './machine-parts.ts';
import type { Qmp } from '../../qmp/client.ts';

const withinMs = 8_000;

/**
 * `screendump` of qapi/ui.json, which writes PNG since QEMU 7.1. The file is made before, in the directory that is ours again
 * once the machine runs: its user may write it and put nothing in its place. What is read is what was opened then.
 */
export async function screenshot(parts: MachineParts, qmp: Qmp, mostBytes: number): Promise<Buffer> {
	const { screenshot: filename } = parts.paths;
	await rm(filename, { force: true });
	const file = await open(filename, 'wx+', 0o600);
	try {
		const user = process.getuid?.() === 0 ? await userOf(parts) : 0;
		if (user !== 0) await file.chown(user, user);
		await qmp.execute('screendump', { filename, format: 'png' }, { timeoutMs: withinMs });
		const { size } = await file.stat();
		if (size > mostBytes)
			throw new RouseError('space_short', `the picture of the console has ${size} bytes, and ${mostBytes} are kept`);
		const bytes = Buffer.alloc(size);
		await file.read(bytes, 0, size, 0);
		if (!bytes.subarray(0, pngSignature.length).equals(pngSignature))
			throw new RouseError('hypervisor_failed', 'QEMU has made no picture of the console');
		return bytes;
	} finally {
		await file.close();
		await rm(filename, { force: true });
	}
}

/** https://www.w3.org/TR/png-3/, section 5.2 */
const pngSignature = Buffer.from('89504e470d0a1a0a', 'hex');
