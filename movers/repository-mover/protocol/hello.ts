import { RouseError } from '../../../model/errors.ts';
import { protocolVersion } from './wire.ts';

/** What a connection names chunks by: as they lie in packs, or as they stand in one restore point. */
export type Naming = 'references' | 'places';

export interface Hello {
	naming: Naming;
	/** The recovery whose copy it is, or the token of a restore point. */
	says: string;
}

const magic = Buffer.from('ROUSE-CP', 'latin1');
export const serverHelloBytes = magic.length + 4;
const clientHelloHeadBytes = serverHelloBytes + 4;
const maxSaysBytes = 4096;
const namings: readonly Naming[] = ['references', 'places'];

export function encodeServerHello(version = protocolVersion): Buffer {
	const hello = Buffer.alloc(serverHelloBytes);
	magic.copy(hello);
	hello.writeUInt32LE(version, magic.length);
	return hello;
}

export function encodeClientHello({ naming, says }: Hello): Buffer {
	const bytes = Buffer.from(says, 'utf8');
	if (bytes.length > maxSaysBytes)
		throw new RouseError('internal', `a hello of ${bytes.length} bytes, at most ${maxSaysBytes}`);
	const head = Buffer.alloc(clientHelloHeadBytes);
	encodeServerHello().copy(head);
	head[serverHelloBytes] = namings.indexOf(naming);
	head.writeUInt16LE(bytes.length, serverHelloBytes + 2);
	return Buffer.concat([head, bytes]);
}

/** The version of whoever begins with these bytes; undefined when it speaks something else, as far as they say. */
export function versionOf(bytes: Buffer): number | undefined {
	const begun = Math.min(bytes.length, magic.length);
	if (bytes.compare(magic, 0, begun, 0, begun) !== 0) return undefined;
	return bytes.length < serverHelloBytes ? protocolVersion : bytes.readUInt32LE(magic.length);
}

/** The hello at the beginning of these bytes, and how long it is; undefined until it is whole. `protocol` for what is none. */
export function decodeClientHello(bytes: Buffer): (Hello & { bytes: number }) | undefined {
	if (bytes.length < clientHelloHeadBytes) return undefined;
	const naming = namings[bytes.readUInt8(serverHelloBytes)];
	const length = bytes.readUInt16LE(serverHelloBytes + 2);
	if (naming === undefined || length > maxSaysBytes || bytes[serverHelloBytes + 1] !== 0)
		throw new RouseError('protocol', 'a hello that says what this version does not know');
	const end = clientHelloHeadBytes + length;
	if (bytes.length < end) return undefined;
	return { naming, says: bytes.toString('utf8', clientHelloHeadBytes, end), bytes: end };
}

/** Why a mover and its client do not understand each other. */
export function otherVersion(version: number | undefined): RouseError {
	const spoken = version === undefined ? 'something else than the chunk protocol' : `version ${version} of it`;
	return new RouseError('protocol', `version ${protocolVersion} of the chunk protocol here, and there ${spoken}`, {
		hint: 'use the same version of Rouse where the repository is and where machines run',
	});
}
