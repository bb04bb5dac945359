/** Documents of the typed client as the command line answers with them: its sentences in the place of data. */
import type { RecoveryDocument, RecoveryRow } from '../../client/documents.ts';
import type { RecoveryView } from '../../supervisor/protocol.ts';
import { explained, stepsText } from './next-text.ts';

/** `recover show --json`; docs/cli.md lists the fields. */
export function recoveryAnswer(document: RecoveryDocument) {
	const { name, parked } = document;
	return {
		...document,
		parked: parked && explained(parked, { name }),
		next: stepsText(document.next, name, parked?.code),
	};
}
export type RecoveryAnswer = ReturnType<typeof recoveryAnswer>;

/** One line of `recover list --json`. */
export function rowAnswer(row: RecoveryRow) {
	return { ...row, parked: row.parked && explained(row.parked, row) };
}
export type RowAnswer = ReturnType<typeof rowAnswer>;

/** One machine of `host list --json`. */
export function machineAnswer(machine: RecoveryView) {
	const { name, blocked, state } = machine;
	return { ...machine, blocked: blocked && explained(blocked, { name, finished: state === 'finished' }) };
}
