/** What a target is on a simulated host: a file, and the movers' way to it. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';
import { fileIdentity } from '../../system/file-identity.ts';
import type { TargetFormat } from './parts.ts';
import { records } from './record.ts';
import { namesIn } from '../../system/names-in.ts';

/** A file that is the disk, from its first byte. */
export const plainTargets: TargetFormat = {
	offsetBytes: 0,
	header: () => '',
	identityOf: async ({ paths }, disk) => fileIdentity(await lookAt(paths.target(disk))),
	present: async ({ paths }, disk) => paths.target(disk),
	release: async () => undefined,
};

const headerSchema = z.strictObject({ recoveryId: z.uuid(), disk: z.string(), diskId: z.uuid() });

/**
 * A file with a header, that the movers see as a device: under a name that is another one after every boot of the host,
 * and that is gone once the machine stands on the target.
 */
export const deviceTargets: TargetFormat = {
	/** The smallest step of what follows the header in a VHDX: MS-VHDX, 2.2. */
	offsetBytes: 1024 * 1024,
	header: ({ recoveryId }, { name }) => JSON.stringify({ recoveryId, disk: name, diskId: randomUUID() }),
	async identityOf({ definition, paths }, disk) {
		const path = paths.target(disk);
		const { recoveryId, disk: name, diskId } = await readHeader(path);
		if (recoveryId === definition.recoveryId && name === disk.name) return `disk-${diskId}`;
		throw new RouseError('identity_conflict', `${path} is ${name} of recovery ${recoveryId}`);
	},
	async present({ definition, paths }, disk, boot) {
		// A disk that a machine stands on is given to nobody else.
		const record = await records.read(definition, paths);
		if (record?.parents.includes('target')) return paths.target(disk);
		const device = paths.device(disk, boot);
		await mkdir(dirname(device), { recursive: true, mode: 0o700 });
		await symlink(paths.target(disk), device).catch((error: unknown) => {
			if (!isErrno(error, 'EEXIST')) throw error;
		});
		return device;
	},
	async release({ definition: { runDirectory } }) {
		for (const name of await namesIn(runDirectory))
			if (/^device-\d+-/.test(name)) await rm(join(runDirectory, name), { force: true });
	},
};

async function readHeader(path: string): Promise<z.infer<typeof headerSchema>> {
	await lookAt(path);
	const file = await open(path, 'r');
	try {
		const { buffer } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
		return headerSchema.parse(JSON.parse(buffer.toString('utf8').replace(/\0+$/, '')));
	} finally {
		await file.close();
	}
}

async function lookAt(path: string) {
	try {
		return await stat(path, { bigint: true });
	} catch (cause) {
		if (!isErrno(cause, 'ENOENT')) throw cause;
		throw new RouseError('identity_conflict', `the target ${path} is gone`, { cause });
	}
}
