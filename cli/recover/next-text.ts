/** Sentences about what a person can do, with the commands in them. */
import type { NextStep } from '../../client/next-steps.ts';
import type { ErrorCode } from '../../model/errors.ts';
import type { Next, Order } from '../../model/next.ts';
import type { Blocked, Power } from '../../model/recovery.ts';

/** Whose machine it is: a recovery's, or a finished one of its host. */
interface Owner {
	name: string;
	finished?: boolean;
}

/** What waits for a person, with the order for programs beside the sentence for people. */
export type Explained<B extends Blocked> = Omit<B, 'next'> & { order: Order; next: string };

export function explained<B extends Blocked>(blocked: B, owner: Owner): Explained<B> {
	return { ...blocked, order: blocked.next.order, next: nextText(blocked.next, blocked.code, owner) };
}

/** `make room in /srv/x, then: rouse recover retry web01-r1`. `code`: why it waits. */
export function nextText({ order, first }: Next, code: ErrorCode, owner: Owner): string {
	const command = commandOf(order, owner);
	const before = first === undefined ? repairs[code] : `${first}${additions[code] ?? ''}`;
	return before === undefined ? withPurpose(order, command) : `${before}, then: ${command}`;
}

/** What is known to mend it, where nothing else was said. */
const repairs: Partial<Record<ErrorCode, string>> = {
	repository_unknown: 'give the repository its name again: rouse repo add NAME DIR',
	repository_missing: 'see whether the file system of the repository is mounted',
	chunk_bad: 'put the pack back from a copy of the repository (rouse backup verify names what is damaged)',
};

const additions: Partial<Record<ErrorCode, string>> = { chunk_bad: ' (rouse backup verify names what is damaged)' };

export function commandOf(order: Order, { name, finished = false }: Owner): string {
	if (order === 'power-on') return finished ? `rouse host start ${name}` : `rouse recover power ${name} on`;
	if (order === 'power-reset') return `rouse recover power ${name} reset`;
	if (order === 'power-off') return finished ? `rouse host stop ${name} --force` : `rouse recover power ${name} off`;
	return order === 'discard' ? `rouse recover discard ${name} --confirm ${name}` : `rouse recover ${order} ${name}`;
}

/** `parked`: the code of what parked it. */
export function stepsText(steps: readonly NextStep[], name: string, parked: ErrorCode | undefined): string {
	return steps.map(step => stepText(step, name, parked)).join('; ');
}

/** What can be done about a workflow that was ended by force. */
export function adoptText(name: string): string {
	return `its workflow is gone, its machine may still run; if the host has it (rouse host list): rouse recover adopt ${name}`;
}

/** What can be done about what waits for something that is away. */
export const sourceText = 'bring that back, and it goes on by itself; rouse doctor tells what is away';

/** Where no worker of its host answers. */
export function lastResortText(name: string): string {
	return `if that host is gone for good, and only then: rouse recover abandon ${name} --confirm ${name}`;
}

/** What can be done about a machine that no workflow will end. */
export function abandonedText(name: string): string {
	return `go on with it: rouse recover adopt ${name}; or remove it: rouse host remove ${name} --confirm ${name}`;
}

const purposes: Partial<Record<Order, string>> = {
	migrate: 'keep it',
	discard: 'throw it away',
	'power-on': 'power it on',
	'power-reset': 'start its guest again, as its reset button does',
};

function withPurpose(order: Order, command: string): string {
	const purpose = purposes[order];
	return purpose === undefined ? command : `${purpose}: ${command}`;
}

/** What a finished machine's owner can do, by what its host sees of its power. */
export function machineStepText(name: string, power: Power | null): string {
	if (power === 'off') return withPurpose('power-on', `rouse host start ${name}`);
	if (power === 'crashed') return withPurpose('power-reset', `rouse host start ${name}`);
	return `rouse console ${name}; rouse host stop ${name}`;
}

function stepText(step: NextStep, name: string, parked: ErrorCode | undefined): string {
	if (step.step === 'watch') {
		const comes =
			step.comes === undefined ? '' : `it ${step.comes === 'migrate' ? 'migrates' : 'switches'} by itself: `;
		return `${comes}rouse recover watch ${name}`;
	}
	if (step.step === 'source') return sourceText;
	if (step.step === 'host') return `the machine is yours: ${machineStepText(name, step.power)}`;
	if (step.step === 'adopt') return adoptText(name);
	if (step.step === 'start')
		return step.again
			? `use the name again: rouse recover start MACHINE@POINT --name ${name} --again`
			: 'the name is free: mend the cause, then start it again';
	if (parked !== undefined) return nextText(step, parked, { name });
	return withPurpose(step.order, commandOf(step.order, { name }));
}
