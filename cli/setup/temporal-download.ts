import { createHash } from 'node:crypto';
import { chmod, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { temporalRelease } from '../../keeper/temporal-cli.ts';
import { runTool } from '../../system/run-tool.ts';
import type { Context } from '../terminal/command.ts';

/** SHA-256 of the archives of release 1.8.2, from its checksums.txt. */
const archives: Readonly<Record<string, { name: string; sha256: string }>> = {
	'linux-x64': { name: 'linux_amd64', sha256: 'd8421bda989e6514b4bdb4d63a9012a8a05a806892e881a5aad8510496349a94' },
	'linux-arm64': { name: 'linux_arm64', sha256: '83600a8fac6e3da54093e5da6918d399f501532b9f1172235603f9606f4ac6e4' },
	'darwin-x64': { name: 'darwin_amd64', sha256: '489d7f5420cae02b559774ac23df035141954c33a51dba96f5759a0ddccdf1b6' },
	'darwin-arm64': { name: 'darwin_arm64', sha256: 'dacdc3587682c04cf27e67c8878ca2d755230b6ad63c0c6ebddd7348ae90ed94' },
};
const answerWithinMs = 5_000;

interface TemporalDownload {
	url: string;
	sha256: string;
}

/** Of every platform that there is a release for. */
export function temporalDownloads(): TemporalDownload[] {
	return Object.values(archives).map(({ name, sha256 }) => ({ url: addressOf(name), sha256 }));
}

function addressOf(name: string): string {
	const { cli } = temporalRelease;
	return `https://github.com/temporalio/cli/releases/download/v${cli}/temporal_cli_${cli}_${name}.tar.gz`;
}

/** Puts the official release at `file`. Undefined when that worked, else why it did not. */
export async function downloadTemporal(file: string, { output, signal }: Context): Promise<string | undefined> {
	const archive = archives[`${process.platform}-${process.arch}`];
	if (archive === undefined) return `there is no release for ${process.platform} on ${process.arch}`;
	const address = addressOf(archive.name);
	const name = basename(address);
	const progress = output.progress(`downloading ${name}`);
	try {
		const data = await fetchAll(address, signal, progress);
		const sha256 = createHash('sha256').update(data).digest('hex');
		if (sha256 !== archive.sha256) return `${name} has SHA-256 ${sha256}, not ${archive.sha256}`;
		return await unpack(data, file);
	} catch (error) {
		signal.throwIfAborted();
		return reasonOf(error);
	} finally {
		progress.end();
	}
}

async function fetchAll(
	address: string,
	signal: AbortSignal,
	progress: { update(state: { done: number; total?: number | undefined }): void },
): Promise<Buffer> {
	const silence = new AbortController();
	const timer = setTimeout(() => silence.abort(new Error(`no answer within ${answerWithinMs} ms`)), answerWithinMs);
	try {
		const response = await fetch(address, { signal: AbortSignal.any([signal, silence.signal]) });
		if (!response.ok || response.body === null) throw new Error(`${address}: HTTP ${response.status}`);
		const total = Number(response.headers.get('content-length') ?? 0) || undefined;
		const parts: Uint8Array[] = [];
		let done = 0;
		for await (const part of response.body) {
			timer.refresh(); // a slow line is no silent one
			parts.push(part);
			done += part.length;
			progress.update({ done, total });
		}
		return Buffer.concat(parts);
	} finally {
		clearTimeout(timer);
	}
}

async function unpack(data: Buffer, file: string): Promise<string | undefined> {
	const archive = join(dirname(file), 'archive.tar.gz');
	await writeFile(archive, data);
	const run = await runTool('tar', ['-xzf', archive, '-C', dirname(file), 'temporal'], { hint: 'apt-get install tar' });
	await rm(archive);
	if (run.code !== 0) return `tar: ${run.tail.join(' ')}`;
	await rename(join(dirname(file), 'temporal'), file);
	await chmod(file, 0o700);
	return undefined;
}

function reasonOf(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	return error.cause instanceof Error ? error.cause.message : error.message;
}
