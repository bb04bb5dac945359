import { InvalidArgumentError } from '@commander-js/extra-typings';
import { RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import { defaultReadyMs, type Readiness, type ReadinessCheck, readinessCheckSchema } from '../../model/readiness.ts';
import { writtenDurationSchema } from '../../model/written-values.ts';

const forms = 'agent, ping:ADDRESS, tcp:ADDRESS:PORT or command:NAME, which may have arguments behind it';

/** `--ready CHECK` */
export function parseReady(text: string): ReadinessCheck {
	const check = readinessCheckSchema.safeParse(written(text));
	if (check.success) return check.data;
	throw new InvalidArgumentError(`"${text}": write ${forms}.`);
}

function written(text: string): unknown {
	if (text === 'agent') return { by: 'agent' };
	const [, by, what = ''] = /^(ping|tcp|command):(.+)$/.exec(text) ?? [];
	if (by === 'ping') return { by, address: what };
	if (by === 'tcp') {
		const [, address, port] = /^\[?(.*?)\]?:(\d+)$/.exec(what) ?? [];
		return { by, address, port: Number(port) };
	}
	const [name, ...args] = what.split(/\s+/).filter(word => word !== '');
	return { by, name, args };
}

/** `--ready-within TIME`, in milliseconds. */
export function parseReadyWithin(text: string): number {
	const duration = writtenDurationSchema.safeParse(text);
	if (duration.success) return duration.data;
	throw new InvalidArgumentError(`"${text}": ${refusalText(duration.error)}.`);
}

/** Both together. Throws `usage` for a time limit of nothing. */
export function readinessOf(check: ReadinessCheck | undefined, timeoutMs: number | undefined): Readiness | undefined {
	if (check !== undefined) return { check, timeoutMs: timeoutMs ?? defaultReadyMs };
	if (timeoutMs === undefined) return undefined;
	throw new RouseError('usage', '--ready-within is the time limit of a check, and --ready names none', {
		hint: `--ready takes ${forms}`,
	});
}

/** A check, for people. */
export function checkText(check: ReadinessCheck): string {
	if (check.by === 'agent') return "the guest's agent answers";
	if (check.by === 'ping') return `${check.address} answers to ping`;
	if (check.by === 'tcp') return `${check.address} takes connections at port ${check.port}`;
	return `checks/${[check.name, ...check.args].join(' ')} of the host ends with 0`;
}
