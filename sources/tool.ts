import { spawn } from 'node:child_process';
import { RouseError } from '../model/errors.ts';
import { isErrno } from '../system/durable-file.ts';

export interface ToolAnswer {
	exitCode: number;
	stdout: string;
	/** Its beginning: a check of a broken image says the same thing of every cluster. */
	stderr: string;
}

const keptBytes = 64 * 1024;

/** Runs one of QEMU's image tools to its end. Throws `tool_missing` when it is not installed. */
export async function runTool(program: string, args: readonly string[], signal: AbortSignal): Promise<ToolAnswer> {
	signal.throwIfAborted();
	// Detached: Ctrl-C on a terminal goes to us alone, and we end it.
	const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
	const stdout: Buffer[] = [];
	let stderr = '';
	child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes));
	child.stderr.on('data', (bytes: Buffer) => {
		if (stderr.length < keptBytes) stderr += bytes.toString('utf8');
	});
	const kill = () => child.kill('SIGKILL');
	signal.addEventListener('abort', kill, { once: true });
	try {
		const exitCode = await new Promise<number>((resolve, reject) => {
			child.once('error', reject);
			child.once('close', (code, by) => (code === null ? reject(new Error(`ended by ${by}`)) : resolve(code)));
		});
		return { exitCode, stdout: Buffer.concat(stdout).toString('utf8'), stderr };
	} catch (error) {
		signal.throwIfAborted();
		throw toolError(program, error);
	} finally {
		signal.removeEventListener('abort', kill);
	}
}

export function toolError(program: string, error: unknown): RouseError {
	if (isErrno(error, 'ENOENT'))
		return new RouseError('tool_missing', `${program} is not installed`, {
			hint: 'apt-get install qemu-utils',
			cause: error,
		});
	return new RouseError('source_invalid', `${program}: ${error instanceof Error ? error.message : String(error)}`, {
		cause: error,
	});
}

/** What QEMU's tools say of an image they do not open, as an error for people. */
export function openingError(path: string, stderr: string): RouseError {
	const said = wordsOf(path, stderr);
	if (/lock/.test(said) && /another process/i.test(stderr))
		return new RouseError('lock_held', `${path} is open for writing: a machine runs on it`, {
			hint: 'shut the machine down first, or import a snapshot of the disk through an NBD server',
		});
	if (/truncated|end of (the )?file|after EOF/i.test(stderr))
		return new RouseError('source_invalid', `${path} is cut short: ${said}`, { hint: 'copy it again' });
	return new RouseError('source_invalid', `${path} cannot be read as a disk image: ${said}`);
}

/** The first line, without the tool's name and the repetitions of the path. */
function wordsOf(path: string, stderr: string): string {
	const line = stderr.split('\n').find(text => text.trim() !== '') ?? 'no reason given';
	return line
		.replace(/^qemu-(img|nbd): /, '')
		.replaceAll(/(Failed to blk_new_open|Could not open) '[^']*': /g, '')
		.replace(`${path}: `, '')
		.trim();
}
