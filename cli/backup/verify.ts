import { RouseError } from '../../model/errors.ts';
import { missingWarnings } from '../../model/missing-warnings.ts';
import { proveZstdHandles } from '../../repository/format/zstd-proof.ts';
import { type Damage, type VerifyResult, verifyPoint } from '../../repository/verify.ts';
import { repositoryOption } from '../repository-choice.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { formatDuration } from '../terminal/format.ts';
import { parsePoint } from '../terminal/parse.ts';
import { findPoint, withRepository } from './restore-point.ts';

export const buildVerify = (context: Context) =>
	command('verify')
		.description('read every chunk of a restore point and compare digests')
		.argument('<name@point>', 'as web01@latest', parsePoint)
		.option(...repositoryOption)
		.addHelpText('after', '\nExit code 9 when something is damaged; the answer names it.')
		.action(async (reference, options) => {
			const { output, signal } = context;
			const progress = output.progress('verifying');
			const result = await withRepository(context, options.repo, async repository => {
				await proveZstdHandles();
				const point = await findPoint(repository, reference, signal);
				for (const warning of missingWarnings(point.manifest.disks)) output.warn(warning);
				return await verifyPoint(repository, point, {
					signal,
					progress: ({ disk, doneBytes, totalBytes, damaged }) =>
						progress.update({
							done: doneBytes,
							total: totalBytes,
							note: damaged > 0 ? `disk${disk}, ${damaged} damaged` : `disk${disk}`,
						}),
				});
			}).finally(() => progress.end());
			output.result(result, verifyText(result));
			if (!isWhole(result)) throw damageError(result);
		});

function isWhole({ damaged, damagedFooters }: VerifyResult): boolean {
	return damaged.length === 0 && damagedFooters.length === 0;
}

function verifyText(result: VerifyResult): string {
	const { machine, restorePoint, chunks, verifiedBytes, damaged, damagedFooters, durationMs } = result;
	const read = `${chunks} chunks, ${formatBytes(verifiedBytes)}, in ${formatDuration(durationMs)}`;
	if (isWhole(result)) return `${machine}@${restorePoint} is whole: ${read}`;
	const footers = damagedFooters.map(({ packId, reason }) => `pack ${packId}, its list of chunks: ${reason}`);
	return [`${machine}@${restorePoint} is damaged`, ...damaged.map(damageText), ...footers, `Right: ${read}`].join('\n');
}

function damageText({ disk, kind, index, count, digest, packId, offsetBytes, reason }: Damage): string {
	if (kind === 'content') return `disk${disk}: ${reason}`;
	const what = kind === 'page' ? `page of chunks ${index} to ${index + count - 1}` : `chunk ${index}`;
	// Most reasons name the chunk and its place themselves.
	const which =
		digest !== undefined && reason.includes(digest) ? '' : `${digest} in pack ${packId} at ${offsetBytes}: `;
	return `disk${disk}, ${what}: ${which}${reason}`;
}

function damageError({ machine, restorePoint, damaged, damagedFooters }: VerifyResult): RouseError {
	if (damaged.length === 0)
		return new RouseError(
			'format_damaged',
			`every chunk of ${machine}@${restorePoint} is right, but ${damagedFooters.length} of its packs have damaged footers`,
			{
				hint: 'put the packs named here back from a copy of the repository: nobody finds their chunks but by old references',
				details: { machine, restorePoint, damaged: damagedFooters.length },
			},
		);
	const [first] = damaged;
	const named = first?.digest === undefined ? '' : `, the first is ${first.kind} ${first.digest} of disk${first.disk}`;
	const count = damaged.length === 1 ? 'one place' : `${damaged.length} places`;
	return new RouseError('chunk_bad', `${machine}@${restorePoint} is damaged in ${count}${named}`, {
		hint: 'put the packs named here back from a copy of the repository; other restore points may share them',
		details: { machine, restorePoint, damaged: damaged.length },
	});
}
