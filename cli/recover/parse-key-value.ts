/** Options that are given as often as needed, each a key and a value. */
import { InvalidArgumentError } from '@commander-js/extra-typings';
import type { PlatformData } from '../../model/hardware.ts';
import { type Forward, forwardSchema, networkTargetSchema, type RecoveryRequest } from '../../model/recovery.ts';

type Networks = RecoveryRequest['networks'];

/** `--network SRC=NAME` */
export function parseNetwork(text: string, before: Networks = {}): Networks {
	const at = text.lastIndexOf('=');
	const target = networkTargetSchema.safeParse(text.slice(at + 1));
	if (at < 1 || !target.success)
		throw new InvalidArgumentError(
			`"${text}": write SRC=NAME or SRC=none, SRC being the network the original was on, NAME one of the host.`,
		);
	return { ...before, [text.slice(0, at)]: target.data };
}

/** `--forward [ADDRESS:]PORT:GUESTPORT`; without an address nobody but this host comes to it. */
export function parseForward(text: string, before: readonly Forward[] = []): Forward[] {
	const [, address = '127.0.0.1', port, guestPort] = /^(?:([\d.]+):)?(\d+):(\d+)$/.exec(text) ?? [];
	const forward = forwardSchema.safeParse({ address, port: Number(port), guestPort: Number(guestPort) });
	if (!forward.success)
		throw new InvalidArgumentError(
			`"${text}": write PORT:GUESTPORT, as 2222:22, or ADDRESS:PORT:GUESTPORT with an IPv4 address of this host.`,
		);
	return [...before, forward.data];
}

/** `--platform KEY=VALUE`: what looks like a number, `true` or `false` is one. */
export function parsePlatformOption(text: string, before: PlatformData = {}): PlatformData {
	const at = text.indexOf('=');
	if (at < 1 || at > 40)
		throw new InvalidArgumentError(`"${text}": write KEY=VALUE, with a key of 1 to 40 characters.`);
	return { ...before, [text.slice(0, at)]: valueOf(text.slice(at + 1)) };
}

function valueOf(text: string): string | number | boolean {
	if (text === 'true' || text === 'false') return text === 'true';
	return /^-?(0|[1-9]\d{0,14})(\.\d+)?$/.test(text) ? Number(text) : text;
}
