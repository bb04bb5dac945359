import { encodeUint32 } from '../protocol/codec.ts';
import {
	initMagic,
	NBD_FLAG_FIXED_NEWSTYLE,
	NBD_FLAG_NO_ZEROES,
	oldstyleMagic,
	optionMagic,
	sizes,
} from '../protocol/constants.ts';
import { hex } from '../protocol/names.ts';
import type { Parser } from './byte-feed.ts';
import { exportByName, type Negotiated, negotiateOptions, type Send, type Wanted } from './options.ts';
import { violation } from './violation.ts';

/** Fixed newstyle, or, where the server is older than that, plain newstyle without other options. */
export function* handshake(wanted: Wanted, send: Send): Parser<Negotiated> {
	const greeting = yield sizes.greeting;
	if (greeting.readBigUInt64BE(0) !== initMagic)
		throw violation(`its first 8 bytes are not NBDMAGIC: is this an NBD server?`);
	const second = greeting.readBigUInt64BE(8);
	if (second === oldstyleMagic) throw violation('it speaks the oldstyle handshake only, which is not supported');
	if (second !== optionMagic) throw violation(`greeting ${hex(second)} instead of IHAVEOPT`);
	const serverFlags = greeting.readUInt16BE(16);
	const flags = serverFlags & (NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
	send(encodeUint32(flags));
	// Without FIXED_NEWSTYLE a server may hang up on any option but NBD_OPT_EXPORT_NAME.
	const agreed = flags & NBD_FLAG_FIXED_NEWSTYLE ? yield* negotiateOptions(wanted, send) : undefined;
	return agreed ?? (yield* exportByName(wanted.exportName, flags, send));
}
