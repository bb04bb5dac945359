import { defaultMaximumPayloadBytes, NBD_CMD, NBD_CMD_FLAG, NBD_ERROR, type NbdErrno } from '../protocol/constants.ts';
import { commandName } from '../protocol/names.ts';

/**
 * "Block size constraints", as this server gives them: any byte may be read, 4096 is the page of the host's cache, and
 * the maximum is what the specification lets a client take for granted.
 */
export const blockSize = { minimum: 1, preferred: 4096, maximum: defaultMaximumPayloadBytes } as const;

export interface NbdRequest {
	type: number;
	flags: number;
	/** Above 2^53 it is not exact; it is then far beyond any export. */
	offset: number;
	length: number;
}

/** What was negotiated, as far as it decides which requests are valid. */
export interface RequestRules {
	sizeBytes: number;
	structuredReplies: boolean;
	/** The client selected at least one metadata context for this export. */
	contextsSelected: boolean;
	/** The client asked for the block sizes, so it knows the largest read. */
	maximumAdvertised: boolean;
	/** The export takes writes: FUA was offered with them, TRIM and WRITE_ZEROES were not. */
	writable: boolean;
}

export interface Refusal {
	errno: NbdErrno;
	message: string;
}

/**
 * Everything that can be wrong with a request, decided before anything is done: the refusal with
 * the errno of the specification ("Error values" and "Request types"), or undefined when the request is valid. Never
 * called for NBD_CMD_DISC, which has no reply.
 */
export function checkRequest(request: NbdRequest, rules: RequestRules): Refusal | undefined {
	const { type, flags } = request;
	// "This flag is valid for all commands, provided NBD_FLAG_SEND_FUA has been negotiated" ("Command flags")
	const always = rules.writable ? NBD_CMD_FLAG.FUA : 0;
	switch (type) {
		case NBD_CMD.READ:
			return checkFlags(request, always | (rules.structuredReplies ? NBD_CMD_FLAG.DF : 0)) ?? checkRead(request, rules);
		case NBD_CMD.WRITE:
		case NBD_CMD.TRIM:
		case NBD_CMD.WRITE_ZEROES:
			if (!rules.writable) return refuse(request, NBD_ERROR.EPERM, 'the export is read-only');
			if (type !== NBD_CMD.WRITE) return refuse(request, NBD_ERROR.EINVAL, 'it was not offered');
			return checkFlags(request, always) ?? checkWrite(request, rules);
		case NBD_CMD.FLUSH:
			return checkFlags(request, always) ?? checkFlush(request);
		case NBD_CMD.CACHE:
			return checkFlags(request, always) ?? checkRange(request, rules);
		case NBD_CMD.BLOCK_STATUS:
			if (!rules.contextsSelected)
				return refuse(request, NBD_ERROR.EINVAL, 'no metadata context was selected for this export');
			return checkFlags(request, always | NBD_CMD_FLAG.REQ_ONE) ?? checkRange(request, rules);
		default:
			return refuse(request, NBD_ERROR.EINVAL, `unknown command (flags ${flags})`);
	}
}

/** "a request with a flag not explicitly documented as applicable to the given request": EINVAL. */
function checkFlags(request: NbdRequest, allowed: number): Refusal | undefined {
	if ((request.flags & ~allowed) === 0) return undefined;
	return refuse(request, NBD_ERROR.EINVAL, `flags ${request.flags}, of which ${allowed} are allowed`);
}

function checkRead(request: NbdRequest, rules: RequestRules): Refusal | undefined {
	const bad = checkRange(request, rules);
	if (bad !== undefined || request.length <= blockSize.maximum) return bad;
	// EOVERFLOW is only for a client that can know what it means: "Error values" and NBD_CMD_FLAG_DF.
	const known = rules.maximumAdvertised || (request.flags & NBD_CMD_FLAG.DF) !== 0;
	const errno = known ? NBD_ERROR.EOVERFLOW : NBD_ERROR.EINVAL;
	return refuse(request, errno, `${request.length} bytes, at most ${blockSize.maximum}`);
}

/** "one or more sectors beyond the size of the device": ENOSPC, where a read gets EINVAL. */
function checkWrite(request: NbdRequest, rules: RequestRules): Refusal | undefined {
	const { offset, length } = request;
	if (length > blockSize.maximum)
		return refuse(request, NBD_ERROR.EINVAL, `${length} bytes, at most ${blockSize.maximum}`);
	if (length > 0 && offset + length > rules.sizeBytes)
		return refuse(request, NBD_ERROR.ENOSPC, `offset ${offset} + ${length} beyond export size ${rules.sizeBytes}`);
	return checkRange(request, rules);
}

/** A length of 0 is left open by the specification; EINVAL, as nbdkit 1.32 answers. */
function checkRange(request: NbdRequest, rules: RequestRules): Refusal | undefined {
	const { offset, length } = request;
	if (length === 0) return refuse(request, NBD_ERROR.EINVAL, 'length 0');
	if (offset + length <= rules.sizeBytes) return undefined;
	return refuse(request, NBD_ERROR.EINVAL, `offset ${offset} + ${length} beyond export size ${rules.sizeBytes}`);
}

function checkFlush(request: NbdRequest): Refusal | undefined {
	if (request.offset === 0 && request.length === 0) return undefined;
	return refuse(request, NBD_ERROR.EINVAL, `offset ${request.offset} and length ${request.length} must be 0`);
}

function refuse(request: NbdRequest, errno: NbdErrno, why: string): Refusal {
	return { errno, message: `${commandName(request.type)}: ${why}` };
}
