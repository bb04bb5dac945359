import { asRouseError } from '../../model/errors.ts';
import { findInstallation, homeDirectory } from '../../system/installation.ts';
import { checksText } from '../doctor/checks-text.ts';
import type { Finding } from '../doctor/finding.ts';
import type { Mended } from '../doctor/mend.ts';
import { inspectAll } from '../setup/doctor.ts';
import { type Context, command } from '../terminal/command.ts';

const blockedExit = 4;

type Told = Finding & Mended;

export const build = (context: Context) =>
	command('doctor')
		.description('say what is there, in which version, what is missing or left over, and the command that mends it')
		.option('--fix', 'mend what is left over; nothing that may hold what a guest has written is touched')
		.action(async ({ fix = false }) => {
			const checks = await inspectAll(context);
			const ok = checks.every(check => check.ok);
			const findings = await inspectInstallation(context, fix);
			const text = [checksText(checks, context.output.columns), ...findingsText(findings)].join('\n\n');
			context.output.result({ ok, checks, findings: (findings ?? []).map(documentOf) }, text);
			if (!ok) context.exitWith(blockedExit);
		});

/** Undefined where nothing was ever started. */
async function inspectInstallation({ env }: Context, fix: boolean): Promise<Told[] | undefined> {
	const installation = await findInstallation(homeDirectory(env));
	if (installation === undefined) return undefined;
	const [{ findingsOf }, { gatherFacts }, { mend }] = await Promise.all([
		import('../doctor/findings.ts'),
		import('../doctor/gather.ts'),
		import('../doctor/mend.ts'),
	]);
	/** What cannot be looked at hides none of the checks that are done already. */
	const found = async (): Promise<Finding[]> => {
		try {
			return findingsOf(await gatherFacts(installation));
		} catch (error) {
			const { code, message, hint } = asRouseError(error);
			const explanation = `the installation could not be looked at: ${code}: ${message}`;
			return [
				{ code: 'not_looked_at', subject: installation.home, explanation, command: hint || 'rouse doctor --debug' },
			];
		}
	};
	const told: Told[] = [];
	for (const finding of await found())
		told.push({ ...finding, ...(fix ? await mend(finding, installation) : { mended: false, failure: null }) });
	return told;
}

function documentOf({ code, subject, explanation, command: mending, fix, mended, failure }: Told) {
	return { code, subject, explanation, command: mending, fixable: fix !== undefined, mended, failure };
}

function findingsText(findings: readonly Told[] | undefined): string[] {
	if (findings === undefined) return [];
	if (findings.length === 0) return ['In the installation nothing is wrong or left over.'];
	const lines = findings.map(({ code, explanation, command: mending, mended, failure }) => {
		const what = mended ? 'mended' : failure ? `not mended: ${failure.message}` : mending;
		return `${code}: ${explanation}\n  ${what}`;
	});
	return [`In the installation:\n${lines.join('\n')}`];
}
