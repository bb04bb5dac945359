/** Reading from NBD servers: with fio as a guest does, whole with nbdcopy, and for what comes out. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { NbdClient } from '../../nbd/client/client.ts';
import { nbdUri } from '../../nbd/protocol/uri.ts';
import { RouseError } from '../../model/errors.ts';
import { runMeasured } from './measure.ts';
import type { Scope } from './scope.ts';

export interface NbdExport {
	socket: string;
	exportName: string;
}

export interface Load {
	/** As fio calls it. */
	pattern: 'randread' | 'read';
	blockBytes: number;
	depth: number;
	ms: number;
	/** The same places for the same seed. */
	seed: number;
}

const fioSchema = z.object({
	jobs: z.tuple([
		z.object({
			error: z.int(),
			read: z.object({
				total_ios: z.int(),
				iops: z.number(),
				bw_bytes: z.number(),
				clat_ns: z.object({ percentile: z.record(z.string(), z.number()).optional() }),
			}),
		}),
	]),
});

export interface Reads {
	perSecond: number;
	bytesPerSecond: number;
	/** What 99 of 100 reads took at most. */
	p99Us: number;
}

export async function fioReads(scope: Scope, { socket, exportName }: NbdExport, load: Load): Promise<Reads> {
	const output = scope.path('fio.json');
	const argv = [
		'fio',
		'--name=read',
		'--ioengine=nbd',
		`--uri=${nbdUri(socket, exportName)}`,
		`--rw=${load.pattern}`,
		`--bs=${load.blockBytes}`,
		`--iodepth=${load.depth}`,
		'--norandommap',
		`--randseed=${load.seed + 1}`,
		'--time_based',
		`--runtime=${load.ms}ms`,
		'--output-format=json',
		`--output=${output}`,
	];
	await runMeasured(argv, { signal: scope.signal, cwd: scope.directory, lookMs: 10_000 });
	const [{ error, read }] = fioSchema.parse(JSON.parse(await readFile(output, 'utf8'))).jobs;
	const p99 = read.clat_ns.percentile?.['99.000000'];
	if (error !== 0 || read.total_ios === 0 || p99 === undefined)
		throw new RouseError('tool_failed', `fio made ${read.total_ios} reads of ${exportName}, error ${error}`);
	return { perSecond: read.iops, bytesPerSecond: read.bw_bytes, p99Us: p99 / 1000 };
}

/** Everything, from the first byte to the last, with so many connections and requests on each; as nbdcopy does when nothing is said. */
export async function passOver(
	scope: Scope,
	{ socket, exportName }: NbdExport,
	{ connections, requests }: { connections: number; requests: number },
): Promise<void> {
	const how = [`--connections=${connections}`, `--requests=${requests}`];
	await runMeasured(['nbdcopy', ...how, nbdUri(socket, exportName), 'null:'], {
		signal: scope.signal,
		lookMs: 10_000,
	});
}

const pieceBytes = 2 ** 20;
const piecesAtOnce = 8;

/** SHA-256 of what a server gives from the beginning on, all of it unless a length is said. */
export async function sha256Served(
	{ socket, exportName }: NbdExport,
	signal: AbortSignal,
	lengthBytes?: number,
): Promise<string> {
	const client = await NbdClient.open({ address: { path: socket }, exportName }, signal);
	const hash = createHash('sha256');
	const length = lengthBytes ?? client.sizeBytes;
	try {
		for (let at = 0; at < length; at += pieceBytes * piecesAtOnce) {
			const pieces: Promise<Buffer>[] = [];
			for (let from = at; from < Math.min(length, at + pieceBytes * piecesAtOnce); from += pieceBytes) {
				const piece = Buffer.alloc(Math.min(pieceBytes, length - from));
				pieces.push(client.read(from, piece, signal).then(() => piece));
			}
			for (const piece of await Promise.all(pieces)) hash.update(piece);
		}
		return hash.digest('hex');
	} finally {
		await client.close();
	}
}
