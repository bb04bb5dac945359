import type { ErrorCode } from '../../model/errors.ts';
import type { Next, Order } from '../../model/next.ts';
import type { Blocked } from '../../model/recovery.ts';

/** Whose machine it is that waits: a recovery's, or a finished one of its host. */
interface Waiting {
	name: string;
	finished?: boolean;
}

/** What waits for a person, with the sentence that says what they can do. */
export type Explained<B extends Blocked> = Omit<B, 'next'> & { order: Order; next: string };

export function explained<B extends Blocked>(blocked: B, of: Waiting): Explained<B> {
	return { ...blocked, order: blocked.next.order, next: nextText(blocked.next, blocked.code, of) };
}

/** `make room in /srv/x, then: rouse recover retry web01-r1` */
export function nextText({ order, first }: Next, code: ErrorCode, of: Waiting): string {
	const command = commandOf(order, of);
	const before = first === undefined ? repairs[code] : `${first}${more[code] ?? ''}`;
	return before === undefined ? command : `${before}, then: ${command}`;
}

/** What is known to mend it, where nothing was said. */
const repairs: Partial<Record<ErrorCode, string>> = {
	repository_missing: 'see whether the file system of the repository is mounted',
	chunk_bad: 'put the pack back from a copy of the repository (rouse backup verify names what is damaged)',
};

const more: Partial<Record<ErrorCode, string>> = { chunk_bad: ' (rouse backup verify names what is damaged)' };

function commandOf(order: Order, { name, finished = false }: Waiting): string {
	if (order === 'power-on') return finished ? `rouse host start ${name}` : `rouse recover power ${name} on`;
	if (order === 'power-off') return finished ? `rouse host stop ${name} --force` : `rouse recover power ${name} off`;
	if (order === 'power-reset') return `rouse recover power ${name} reset`;
	return order === 'discard' ? `rouse recover discard ${name} --confirm ${name}` : `rouse recover ${order} ${name}`;
}
