import type { CopyAnswer } from './copy-job.ts';

/** A file that a thread could not write; as Node's own errors have it. */
export class FileWriteError extends Error {
	override name = 'FileWriteError';
	readonly code: string;
	readonly syscall = 'write';
	readonly atBytes: number;
	readonly lengthBytes: number;

	constructor({ code, message, atBytes, lengthBytes }: NonNullable<CopyAnswer['writeError']>) {
		super(message);
		this.code = code;
		this.atBytes = atBytes;
		this.lengthBytes = lengthBytes;
	}
}
