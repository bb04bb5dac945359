import { realpath } from 'node:fs/promises';
import { basename } from 'node:path';
import { Option } from '@commander-js/extra-typings';
import type { AdoptionAnswer } from '../../client/adoptions.ts';
import { RouseError } from '../../model/errors.ts';
import type { Policy } from '../../model/recovery.ts';
import type { SupervisorClient } from '../../supervisor/client.ts';
import { type Context, command } from '../terminal/command.ts';
import { parseName } from '../terminal/parse.ts';
import { withSession } from './session.ts';

export const buildAdopt = (context: Context) =>
	command('adopt')
		.description('go on with a recovery whose workflow is lost: terminated, or gone with the database of Temporal')
		.argument('[name]', 'recovery, or its directory on the host')
		.option('--all', 'every unfinished recovery of the host that no workflow drives')
		.addOption(
			new Option(
				'--switch <when>',
				'to its own disks by itself, once all is local, or when told; default: as requested',
			).choices(['auto', 'manual']),
		)
		.addOption(
			new Option('--finish <how>', 'migrate by itself, or when told; default: as requested').choices([
				'manual',
				'migrate',
			]),
		)
		.option('--reason <text>', 'why, for the audit')
		.action((target, options) => {
			if ((target === undefined) !== (options.all === true))
				throw new RouseError('usage', 'say which recovery, or --all', { hint: 'rouse host list' });
			return adoptThem(context, target, options);
		});

interface Options {
	switch?: 'auto' | 'manual' | undefined;
	finish?: 'manual' | 'migrate' | undefined;
	reason?: string | undefined;
}

async function adoptThem(context: Context, target: string | undefined, options: Options): Promise<void> {
	const { adopt, adoptAll } = await import('../../client/adoptions.ts');
	const policy: Partial<Policy> = {
		...(options.switch === undefined ? {} : { switch: options.switch }),
		...(options.finish === undefined ? {} : { finish: options.finish }),
	};
	const asked = {
		...(options.reason === undefined ? {} : { reason: options.reason }),
		policy,
	};
	await withSession(context, async session => {
		const answers =
			target === undefined
				? await adoptAll(session, asked)
				: [await adopt(session, await nameOf(target, session.supervisor), asked)];
		context.output.result({ recoveries: answers }, adoptionsText(answers));
		const failed = answers.find(({ failure }) => failure !== null)?.failure;
		if (failed) throw RouseError.fromDocument(failed);
	});
}

/** Of a directory only that of a recovery which the host looks after: a copy elsewhere has no machine. */
async function nameOf(target: string, supervisor: SupervisorClient): Promise<string> {
	if (!target.includes('/')) return parseName(target);
	const directory = await realpath(target).catch((cause: unknown) => {
		throw new RouseError('recovery_unknown', `${target} cannot be read`, { cause });
	});
	const name = parseName(basename(directory));
	const known = (await supervisor.recovery(name)).directory;
	if ((await realpath(known)) === directory) return name;
	throw new RouseError('recovery_unknown', `the host has ${name} in ${known}, not in ${directory}`);
}

function adoptionsText(answers: readonly AdoptionAnswer[]): string {
	if (answers.length === 0) return 'The host has no unfinished recovery.';
	return answers.flatMap(linesOf).join('\n');
}

function linesOf({ name, outcome, phase, lost, failure }: AdoptionAnswer): string[] {
	if (outcome === 'open') return [`${name}: has a workflow that is open; nothing to do`];
	if (outcome === 'closed')
		return [`${name}: its workflow came to its end; if it is meant: rouse recover adopt ${name}`];
	if (outcome === 'failed') return [`${name}: not adopted: ${failure?.message}`];
	return [`${name}: goes on, ${phase}: rouse recover show ${name}`, ...lost.map(what => `  lost: ${what}`)];
}
