import { open } from 'node:fs/promises';
import { asRouseError } from '../../../model/errors.ts';
import { programPath } from '../../../system/program-path.ts';
import { runTool, type ToolRun } from '../../../system/run-tool.ts';
import { installNtfsTools, ntfsPrograms } from '../../../volume/ntfs-tools.ts';
import { installStorageDaemon } from './storage.ts';
import { installTgt } from './target-daemon.ts';

export interface PresentationProblem {
	code: 'tool_missing' | 'precheck_failed';
	message: string;
	/** What a person does about it. */
	hint: string;
}

/** They say a page and end at once. */
const wholeMs = 10_000;

const programs: readonly { name: string; hint: string }[] = [
	...ntfsPrograms.map(name => ({ name, hint: installNtfsTools })),
	{ name: 'tgtd', hint: installTgt },
	{ name: 'tgtadm', hint: installTgt },
	{ name: 'umount', hint: 'apt-get install mount' },
];

/**
 * Why this host cannot make a volume (`ensureVolume`) or serve it (`startTarget`): what is missing, the first of it. Undefined
 * when nothing is. Starts nothing that stays, and comes back within seconds.
 */
export async function presentationProblem(): Promise<PresentationProblem | undefined> {
	const [ofPrograms, ofStorage, ofFuse] = await Promise.all([
		Promise.all(programs.map(problemOf)),
		storageProblem(),
		fuseProblem(),
	]);
	return [rootProblem(), ...ofPrograms, ofStorage, ofFuse].find(problem => problem !== undefined);
}

/** The volume is a file that is mounted, and taken away with umount(8) when whoever served it was killed. */
function rootProblem(): PresentationProblem | undefined {
	if (process.getuid?.() === 0) return undefined;
	return { code: 'precheck_failed', message: 'Rouse is not root, and mounts the volume', hint: 'start it as root' };
}

async function problemOf({ name, hint }: { name: string; hint: string }): Promise<PresentationProblem | undefined> {
	const ran = await ask(name, '--version', hint);
	return 'stdout' in ran ? undefined : ran;
}

/** Distributions compile QEMU with and without libfuse3; its help names what it was compiled with. */
async function storageProblem(): Promise<PresentationProblem | undefined> {
	const name = 'qemu-storage-daemon';
	const ran = await ask(name, '--help', installStorageDaemon);
	if (!('stdout' in ran)) return ran;
	if (ran.stdout.includes('type=]fuse')) return undefined;
	return { code: 'precheck_failed', message: `${name} was made without FUSE`, hint: 'use the one of Debian' };
}

async function fuseProblem(): Promise<PresentationProblem | undefined> {
	try {
		await (await open('/dev/fuse', 'r+')).close();
		return undefined;
	} catch (error) {
		const { message } = asRouseError(error);
		return { code: 'precheck_failed', message: `FUSE cannot be used here: ${message}`, hint: 'modprobe fuse' };
	}
}

async function ask(program: string, question: string, hint: string): Promise<ToolRun | PresentationProblem> {
	try {
		const ran = await runTool(program, [question], { hint, wholeMs, env: { PATH: programPath() } });
		if (ran.code === 0) return ran;
		const message = `${program} ${question} ended with ${ran.code}: ${ran.tail.join(' ')}`;
		return { code: 'precheck_failed', message, hint };
	} catch (error) {
		const { code, message } = asRouseError(error);
		return { code: code === 'tool_missing' ? code : 'precheck_failed', message, hint };
	}
}
