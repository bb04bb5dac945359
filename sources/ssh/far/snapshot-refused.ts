/** Why LVM made no snapshot, by what lvcreate has said in no language: what passes, and what somebody has to mend first. */
import { type ErrorCode, RouseError } from '../../../model/errors.ts';

interface Refusal {
	says: RegExp;
	code: ErrorCode;
	hint: string;
}

/** As LVM 2.03 words them (lib/metadata, lib/activate, libdm), and the kernel behind it. */
const refusals: readonly Refusal[] = [
	{
		says: /insufficient (suitable .*)?(free space|allocatable extents)|metadata .* too large|no extents|maximum number of/i,
		code: 'space_short',
		hint: 'take from a volume, or add a disk to the group: its snapshots need room of their own',
	},
	{
		says: /permission denied|not permitted|prohibited|read-only|failure to communicate with kernel/i,
		code: 'access_denied',
		hint: 'root there must be allowed to make volumes: look at global/metadata_read_only of LVM, and whether it is a container',
	},
	{
		says: /PVs are missing|physical volumes are missing|is exported|system ID|requires lvmlockd|clustered VG|not detected in your kernel|duplicate (PV )?devices|unknown segments/i,
		code: 'source_invalid',
		hint: 'mend the group of LVM there, until lvcreate --snapshot makes one by hand; snapshot: none reads the disks as they lie',
	},
];

/** lib/commands/errors.h of LVM: EINVALID_CMD_LINE; and what sh ends with where there is no such program. */
const ownFailures = new Map<number, Omit<Refusal, 'says'>>([
	[3, { code: 'source_invalid', hint: 'its LVM is too old, or is another: it needs version 2.02 or newer' }],
	[127, { code: 'tool_missing', hint: 'install lvm2 there' }],
]);

/** `answer`: how lvcreate ended and the volume, then what it said. What is not known here may pass. */
export function snapshotRefused(machine: string, answer: string): RouseError {
	const [head = '', ...said] = answer.trim().split('\n');
	const [, exit = '', volume = ''] = /^(\d+) (.*)$/.exec(head) ?? [];
	const line =
		said.map(text => text.trim()).find(text => text !== '' && !text.startsWith('WARNING')) ?? 'it said nothing';
	const refusal = refusals.find(({ says }) => said.some(text => says.test(text))) ?? ownFailures.get(Number(exit));
	return new RouseError(
		refusal?.code ?? 'tool_failed',
		`on ${machine} LVM makes no snapshot of ${volume}: ${line.slice(0, 300)} (lvcreate ended with ${exit})`,
		{ hint: refusal?.hint ?? 'it is tried again; lvcreate --snapshot by hand there shows whether it lasts' },
	);
}
