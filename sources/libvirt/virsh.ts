import { RouseError } from '../../model/errors.ts';
import { runTool, type ToolRun } from '../../system/run-tool.ts';

/** libvirt itself gives up after 30 s when somebody else has the domain; behind it are what QEMU and storage take. */
const answerMs = 120_000;

/** How libvirt is asked. Errors: `source_unreachable`, `source_busy`, `machine_unknown`, and see {@link isRefusal}. */
export interface Virsh {
	/** What it prints. `arguments` are `--option`, value, and so on: no value stands alone. */
	(command: string, args: readonly string[], options: { signal?: AbortSignal; wholeMs?: number }): Promise<string>;
}

/** The program, since bindings would have to be compiled, and it is there where libvirt is. */
export function virshAt(connect: string): Virsh {
	return async (command, args, { signal, wholeMs = answerMs }) => {
		const run = await runTool('virsh', ['-c', connect, command, ...args], {
			hint: 'apt-get install libvirt-clients',
			wholeMs,
			signal,
		});
		if (run.code === 0) return run.stdout;
		throw refusalOf(command, run);
	};
}

/** Whether libvirt understood what it was asked and would not, or could not, do it. */
export function isRefusal(error: unknown): error is RouseError {
	return error instanceof RouseError && error.details?.['refused'] === true;
}

/** Whether libvirt says that the domain does not run. */
export function isOff(error: unknown): error is RouseError {
	return error instanceof RouseError && error.details?.['off'] === true;
}

/**
 * Seen with libvirt 9.0; virsh has one exit code for everything, and its own words in the C locale. Those of libvirtd are in the language that it was
 * started in: what must be told apart there as well is told by other means, or by what is never translated.
 */
const meanings: readonly { words: RegExp; code: RouseError['code']; hint: string; details?: { off: true } }[] = [
	{
		words:
			/failed to connect to the hypervisor|Cannot recv data|End of file while reading data|Disconnected from|client socket is closed/i,
		code: 'source_unreachable',
		hint: 'see that libvirtd, or virtqemud, runs, and that this user may connect to it',
	},
	{
		words: /failed to get domain|Domain not found/i,
		code: 'machine_unknown',
		hint: 'virsh list --all tells which there are',
	},
	{
		words: /cannot acquire state change lock|\((?:monitor|agent)=remoteDispatch/i,
		code: 'source_busy',
		hint: 'wait until it has ended; if virsh domjobinfo tells of nothing, restart libvirtd: machines run on',
	},
	{
		words: /domain is not running|inactive domain/i,
		code: 'source_unreachable',
		hint: 'start the domain: its disks are read through QEMU; or import their files',
		details: { off: true },
	},
];

function refusalOf(command: string, { stderr }: ToolRun): RouseError {
	const said = stderr
		.split('\n')
		.map(line => line.replace(/^error: /, '').trim())
		.filter(line => line !== '')
		.join('; ')
		.replaceAll(/\p{C}/gu, '?')
		.slice(0, 500);
	const meaning = meanings.find(({ words }) => words.test(said));
	const { code = 'source_invalid', hint, details = { refused: meaning === undefined } } = meaning ?? {};
	return new RouseError(code, `libvirt (${command}): ${said}`, { hint, details });
}
