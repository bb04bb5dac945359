import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { RouseError } from '../../../model/errors.ts';
import { checkSocketPath } from '../../../system/socket-path.ts';
import { checkChapSecret } from './chap.ts';

export interface IscsiTarget {
	/** Of this target alone; not always there. */
	directory: string;
	/** Its name for initiators: `iqn.…` (RFC 7143, 4.2.7.4). */
	iqn: string;
	/** The one address on which it is reached. */
	address: string;
	port: number;
	/** `freshChapSecret` */
	chapSecret: string;
	/** Hexadecimal digits that are no other disk's: initiators know the disk by them, whatever leads to it. */
	serial: string;
	/** The mount mover's NBD server, and the disk: its exports NAME-now and NAME-wait. */
	nbdSocket: string;
	exportName: string;
}

export interface TargetOptions {
	signal?: AbortSignal | undefined;
}

/** Files of one target, in its directory. */
export interface TargetPaths {
	/** The disk as a file, while it is served. */
	disk: string;
	storageLock: string;
	storageLog: string;
	daemonLock: string;
	daemonLog: string;
	/** tgtd's control socket, less the number that tgtd itself puts behind it. */
	control: string;
	/** What tgtd makes of it. */
	controlFiles: readonly string[];
}

export function targetPaths({ directory }: Pick<IscsiTarget, 'directory'>): TargetPaths {
	const control = join(directory, 'tgtd');
	return {
		disk: join(directory, 'disk'),
		storageLock: join(directory, 'storage.lock'),
		storageLog: join(directory, 'storage.log'),
		daemonLock: join(directory, 'tgtd.lock'),
		daemonLog: join(directory, 'tgtd.log'),
		control,
		controlFiles: [`${control}.0`, `${control}.0.lock`],
	};
}

/** Throws `config_invalid`: what is not of this form could mean something to tgtd's or QEMU's options. */
export function checkTarget({
	directory,
	iqn,
	address,
	port,
	chapSecret,
	serial,
	nbdSocket,
	exportName,
}: IscsiTarget): void {
	const wrong = (what: string) => new RouseError('config_invalid', `iSCSI target: ${what}`);
	for (const path of targetPaths({ directory }).controlFiles) checkSocketPath(path);
	checkChapSecret(chapSecret);
	if (!/^iqn\.\d{4}-\d{2}\.[a-z\d.-]+(:[a-z\d.-]+)?$/.test(iqn) || iqn.length > 223) throw wrong(`${iqn} is no name`);
	if (isIP(address) === 0) throw wrong(`${address} is no address`);
	if (!Number.isInteger(port) || port < 1 || port > 65_535) throw wrong(`${port} is no port`);
	// SCSI_SN_LEN and SCSI_ID_LEN of tgt 1.0.85 are 36.
	if (!/^[\da-f]{8,32}$/.test(serial)) throw wrong(`${serial} is no serial number of 8 to 32 digits`);
	if (!/^[\w-]+$/.test(exportName)) throw wrong(`${exportName} is no export`);
	for (const path of [directory, nbdSocket])
		if (path.includes(',')) throw wrong(`${path} has a comma, which ends a value in QEMU's and tgt's options`);
}

/** Whether a program could not be started because it is not there: flock(1) says so at the end of the log. */
export function isNotInstalled(log: string): boolean {
	return /flock: failed to execute \S+: No such file or directory$/.test(log);
}

/** The end of a log, for a person. */
export async function endOfLog(path: string): Promise<string> {
	const text = await readFile(path, 'utf8').catch(() => '');
	return text.trim().split('\n').slice(-5).join(' ');
}
