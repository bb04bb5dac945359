/** What the driver says went wrong, as an error for people. */
import { type ErrorCode, RouseError } from '../../../model/errors.ts';
import { meaningOf } from './hresults.ts';
import type { DriverFailure } from './wire.ts';

type Judgement = DriverFailure['code'];

/** By the driver's own judgement. */
const judgements: Readonly<Record<Exclude<Judgement, 'failed'>, { code: ErrorCode; hint: string }>> = {
	identity_conflict: {
		code: 'identity_conflict',
		hint: 'look at what is there: it is not of this recovery, and is left as it is',
	},
	chain_unexpected: {
		code: 'machine_failed',
		hint: "the machine's disks are not as Rouse left them: a checkpoint or a backup product has changed them; remove the checkpoint, or the machine from the backup job",
	},
	slots_full: {
		code: 'host_busy',
		hint: 'the appliance takes 256 disks: finish or discard other recoveries',
	},
	machine_unknown: {
		code: 'machine_failed',
		hint: 'the machine is gone, or somebody changed its notes, by which it is known: see Get-VM | Select-Object Name, Notes',
	},
	state_wrong: { code: 'phase_wrong', hint: 'look at the state of the machine: Get-VM' },
	not_there: {
		code: 'hypervisor_failed',
		hint: 'look at the appliance, and at Get-IscsiSession and Get-Disk on that host',
	},
	busy: { code: 'hypervisor_failed', hint: 'an earlier order is still under way on that host; it is asked again' },
};

/**
 * `details`: `driver`, the driver's judgement, which a platform can act on; with `failed`, `hresult` and `cmdlet` as far as
 * they are known.
 */
export function driverError(operation: string, failure: DriverFailure): RouseError {
	const { code, message, hresult, cmdlet } = failure;
	if (code !== 'failed') {
		const judgement = judgements[code];
		return new RouseError(judgement.code, `${operation}: ${message}`, {
			hint: judgement.hint,
			details: { driver: code },
		});
	}
	const meaning = hresult === null ? undefined : meaningOf(hresult);
	const who = cmdlet === null ? operation : `${operation}: ${cmdlet}`;
	const number = hresult === null ? '' : ` (${hresult}${meaning ? ` ${meaning.name}` : ''})`;
	return new RouseError(meaning?.code ?? 'hypervisor_failed', `${who}: ${message.trim()}${number}`, {
		hint: meaning?.hint ?? unknownHint,
		details: {
			driver: code,
			...(hresult === null ? {} : { hresult }),
			...(cmdlet === null ? {} : { cmdlet }),
		},
	});
}

const unknownHint =
	'look at what the host logged: Get-WinEvent -LogName Microsoft-Windows-Hyper-V-VMMS-Admin -MaxEvents 20';
