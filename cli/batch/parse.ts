import { InvalidArgumentError } from '@commander-js/extra-typings';
import { batchLimits } from '../../model/batch.ts';
import { patternSchema } from '../../model/batch-file.ts';
import { brokerLimits } from '../../model/broker.ts';
import { parseName } from '../terminal/parse.ts';

/** `web*`; several one after the other. */
export function parsePattern(text: string, before: readonly string[] = []): string[] {
	if (patternSchema.safeParse(text).success) return [...before, text];
	throw new InvalidArgumentError(`"${text}" is no machine and no pattern: write web01, web* or db0?.`);
}

/** `kvm1,kvm2` */
export function parseHosts(text: string): string[] {
	const hosts = text.split(',').map(name => parseName(name.trim()));
	if (new Set(hosts).size === hosts.length && hosts.length <= brokerLimits.poolHosts) return hosts;
	throw new InvalidArgumentError(`"${text}": write up to ${brokerLimits.poolHosts} hosts, each once.`);
}

/** `web01-r1,db01-r1` */
export function parseNames(text: string): string[] {
	return [...new Set(text.split(',').map(name => parseName(name.trim())))];
}

export function parseWindow(text: string): number {
	const window = /^\d{1,4}$/.test(text) ? Number(text) : 0;
	if (window >= 1 && window <= batchLimits.items) return window;
	throw new InvalidArgumentError(`"${text}": write a number from 1 to ${batchLimits.items}.`);
}
