import { formatBytes } from '../../model/format-bytes.ts';
import { RouseError } from '../../model/errors.ts';
import { codeOfAll } from '../../repository/damage.ts';
import { proveZstdHandles } from '../../repository/format/zstd-proof.ts';
import type { Finding } from '../../repository/verify/findings.ts';
import { type RepositoryVerification, verifyRepository } from '../../repository/verify/repository.ts';
import { withRepository } from '../backup/restore-point.ts';
import { repositoryOption } from '../repository-choice.ts';
import { type Context, command } from '../terminal/command.ts';
import { formatDuration } from '../terminal/format.ts';

export const verify = (context: Context) =>
	command('verify')
		.description('read a whole repository and tell of everything in it that is damaged, left over or not known')
		.argument('[name]', 'its directory or name, as --repo has it')
		.option(...repositoryOption)
		.option('--clear', 'take away marks of bad places that are not bad')
		.addHelpText(
			'after',
			'\nExit code 9 when something is damaged, which the answer names; 10 when all of that is of a newer version.\n\nExample:  rouse repo verify archive',
		)
		.action(async (name, options) => {
			const { output, signal } = context;
			const progress = output.progress('verifying');
			const clear = options.clear === true;
			await proveZstdHandles();
			const result = await withRepository(context, name ?? options.repo, repository =>
				verifyRepository(repository, {
					clear,
					signal,
					progress: ({ doneBytes, totalBytes, damaged }) =>
						progress.update({
							done: doneBytes,
							total: totalBytes,
							...(damaged > 0 ? { note: `${damaged} damaged` } : {}),
						}),
				}),
			).finally(() => progress.end());
			output.result(result, textOf(result));
			if (result.damaged > 0) throw damageError(result);
		});

function textOf(result: RepositoryVerification): string {
	const { location, points, packs, chunks, readBytes, findings, damaged, leftOut, cleared, durationMs } = result;
	const read = `${points} restore points, ${packs} packs with ${chunks} chunks, ${formatBytes(readBytes)}, in ${formatDuration(durationMs)}`;
	return [
		`${location} is ${damaged > 0 ? 'damaged' : 'whole'}: ${read}`,
		...findings.map(lineOf),
		...(leftOut > 0 ? [`and ${leftOut} more`] : []),
		...(cleared > 0 ? [`${cleared} marks of bad places were wrong, and are gone`] : []),
	].join('\n');
}

function lineOf({ key, kind, what, hint }: Finding): string {
	return `${kind === 'damage' ? 'DAMAGED' : 'note   '}  ${key}: ${what}\n         ${hint}`;
}

function damageError({ location, damaged, findings }: RepositoryVerification): RouseError {
	const all = findings.filter(({ kind }) => kind === 'damage');
	const [first] = all;
	const code = codeOfAll(all.map(one => one.code));
	const what = code === 'format_damaged' ? 'is damaged' : 'holds what this version does not know';
	return new RouseError(code, `${location} ${what}: ${damaged} findings, the first is ${first?.key}`, {
		hint: first?.hint,
		details: { damaged },
	});
}
