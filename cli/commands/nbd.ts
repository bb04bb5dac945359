import { lstat } from 'node:fs/promises';
import { connect } from 'node:net';
import { resolve } from 'node:path';
import { Option } from '@commander-js/extra-typings';
import { RouseError } from '../../model/errors.ts';
import { missingWarnings } from '../../model/missing-warnings.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { proveZstdHandles } from '../../repository/format/zstd-proof.ts';
import { RetryingChunkSource } from '../../repository/retrying-chunk-source.ts';
import { systemClock } from '../../system/clock.ts';
import { isErrno } from '../../system/durable-file.ts';
import { checkSocketPath } from '../../system/socket-path.ts';
import { findPoint, titleOf, withRepository } from '../backup/restore-point.ts';
import { repositoryOption } from '../repository-choice.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { parsePoint } from '../terminal/parse.ts';

export const build = (context: Context) => {
	const nbd = command('nbd').description('restore points as network block devices');
	nbd.addCommand(serve(context));
	return nbd;
};

const serve = (context: Context) =>
	command('serve')
		.description('serve the disks of a restore point, read-only, until Ctrl-C')
		.argument('<name@point>', 'as web01@latest', parsePoint)
		.requiredOption('--socket <path>', 'the Unix socket to listen on')
		.addOption(formatOption())
		.option(...repositoryOption)
		.addHelpText(
			'after',
			`
The first disk is the export disk0 (as a VHDX disk0.vhdx), and the one without a name. Once it serves:
  nbdcopy 'nbd+unix:///disk0?socket=S' disk.raw       takes the disk out
  guestfish --ro --format=raw -a 'nbd:///disk0?socket=S' -i    looks into it
  nbdfuse --readonly DIR --unix S                     mounts it as a file`,
		)
		.action(async (reference, options) => {
			const socketPath = resolve(options.socket);
			await refuseTakenSocket(socketPath);
			await proveZstdHandles();
			await withRepository(context, options.repo, async repository => {
				const { output, signal } = context;
				const point = await findPoint(repository, reference, signal);
				for (const warning of missingWarnings(point.manifest.disks)) output.warn(warning);
				const { serveRestorePoint } = await import('../../movers/mount-mover/serve-restore-point.ts');
				const { vhdxOfEach } = await import('../../movers/mount-mover/layout/vhdx-layout.ts');
				const { config } = point.manifest;
				const disks = point.manifest.disks.map((image, index) => ({ name: `disk${index}`, image }));
				const { exports, ended } = await serveRestorePoint({
					socketPath,
					disks,
					source: new RetryingChunkSource(new DirectChunkSource(repository.store), systemClock),
					clock: systemClock,
					title: titleOf(point),
					signal,
					...(options.format === 'vhdx' ? { present: vhdxOfEach(config.disks) } : {}),
					onDamage: (disk, index, error) => output.warn(`${disk}, chunk ${index}: ${error.message}`),
				});
				const { machine, time } = point.manifest;
				const listening = { type: 'listening', uri: exports[0]?.uri, exports, machine, restorePoint: time };
				const text = exports.map(({ uri, sizeBytes }) => `${uri}  ${formatBytes(sizeBytes)}`).join('\n');
				output.event(listening, `${titleOf(point)} is served until Ctrl-C:\n${text}`);
				await ended;
			});
		});

function formatOption() {
	return new Option('--format <format>', 'what the exports hold: the disks, or a VHDX of each')
		.choices(['raw', 'vhdx'])
		.default('raw');
}

/** The server takes the place of whatever is at its path; here that may be anything. */
async function refuseTakenSocket(path: string): Promise<void> {
	checkSocketPath(path);
	const found = await lstat(path).catch((error: unknown) => {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	});
	if (found === undefined) return;
	if (!found.isSocket()) throw new RouseError('usage', `${path} is there already, and is no socket`);
	if (await listens(path)) throw new RouseError('lock_held', `another process listens on ${path}`);
}

async function listens(path: string): Promise<boolean> {
	const { promise, resolve: answer } = Promise.withResolvers<boolean>();
	const probe = connect({ path });
	probe.once('connect', () => answer(true));
	probe.once('error', () => answer(false));
	const found = await promise;
	probe.destroy();
	return found;
}
