/**
 * Constants of the Network Block Device protocol, fixed newstyle. Section names are those of the specification:
 * https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
 * All numbers on the wire are big-endian.
 */

/** "Newstyle negotiation": ASCII `NBDMAGIC` and `IHAVEOPT`. */
export const initMagic = 0x4e42444d41474943n;
export const optionMagic = 0x49484156454f5054n;
/** "Oldstyle negotiation": what comes instead of IHAVEOPT from a server that knows nothing newer. */
export const oldstyleMagic = 0x00420281861253n;
/** "Fixed newstyle negotiation": first field of every reply to an option. */
export const optionReplyMagic = 0x0003e889045565a9n;
/** "Request message", "Simple reply message", "Structured reply chunk message". */
export const requestMagic = 0x25609513;
export const simpleReplyMagic = 0x67446698;
export const structuredReplyMagic = 0x668e33ef;

export const sizes = {
	/** "Newstyle negotiation": both magics and the handshake flags. */
	greeting: 18,
	clientFlags: 4,
	optionHeader: 16,
	optionReplyHeader: 20,
	request: 28,
	simpleReply: 16,
	structuredReply: 20,
	/** "NBD_REPLY_TYPE_OFFSET_DATA": header and offset, before the data. */
	offsetData: 28,
	offsetHole: 32,
	/** "Newstyle negotiation": size and transmission flags, the answer to NBD_OPT_EXPORT_NAME. */
	exportNameAnswer: 10,
	/** "Newstyle negotiation": zeros after the answer to NBD_OPT_EXPORT_NAME, unless both sides said NO_ZEROES. */
	exportNameZeroes: 124,
} as const;

/** "Conventions": no string is longer. */
export const maxStringBytes = 4096;

/** "Handshake flags" and "Client flags": the same bits mean the same. */
export const NBD_FLAG_FIXED_NEWSTYLE = 1 << 0;
export const NBD_FLAG_NO_ZEROES = 1 << 1;

/** "Transmission flags" */
export const NBD_FLAG = {
	HAS_FLAGS: 1 << 0,
	READ_ONLY: 1 << 1,
	SEND_FLUSH: 1 << 2,
	SEND_FUA: 1 << 3,
	ROTATIONAL: 1 << 4,
	SEND_TRIM: 1 << 5,
	SEND_WRITE_ZEROES: 1 << 6,
	SEND_DF: 1 << 7,
	CAN_MULTI_CONN: 1 << 8,
	SEND_CACHE: 1 << 10,
} as const;

/** "Option types" */
export const NBD_OPT = {
	EXPORT_NAME: 1,
	ABORT: 2,
	LIST: 3,
	STARTTLS: 5,
	INFO: 6,
	GO: 7,
	STRUCTURED_REPLY: 8,
	LIST_META_CONTEXT: 9,
	SET_META_CONTEXT: 10,
} as const;

/** "Option reply types" */
export const NBD_REP = {
	ACK: 1,
	SERVER: 2,
	INFO: 3,
	META_CONTEXT: 4,
	ERR_UNSUP: 0x8000_0001,
	ERR_POLICY: 0x8000_0002,
	ERR_INVALID: 0x8000_0003,
	ERR_PLATFORM: 0x8000_0004,
	ERR_TLS_REQD: 0x8000_0005,
	ERR_UNKNOWN: 0x8000_0006,
	ERR_SHUTDOWN: 0x8000_0007,
	ERR_BLOCK_SIZE_REQD: 0x8000_0008,
	ERR_TOO_BIG: 0x8000_0009,
} as const;

/** "Option reply types": those with this bit are errors, known or not. */
export const optionErrorBit = 0x8000_0000;

/** "NBD_REP_INFO" */
export const NBD_INFO = { EXPORT: 0, NAME: 1, DESCRIPTION: 2, BLOCK_SIZE: 3 } as const;

/** "Request types" */
export const NBD_CMD = {
	READ: 0,
	WRITE: 1,
	DISC: 2,
	FLUSH: 3,
	TRIM: 4,
	CACHE: 5,
	WRITE_ZEROES: 6,
	BLOCK_STATUS: 7,
} as const;

/** "Command flags" */
export const NBD_CMD_FLAG = { FUA: 1 << 0, NO_HOLE: 1 << 1, DF: 1 << 2, REQ_ONE: 1 << 3, FAST_ZERO: 1 << 4 } as const;

/** "Structured reply flags" */
export const NBD_REPLY_FLAG_DONE = 1 << 0;

/** "Structured reply types" */
export const NBD_REPLY_TYPE = { NONE: 0, OFFSET_DATA: 1, OFFSET_HOLE: 2, BLOCK_STATUS: 5, ERROR: 0x8001 } as const;

/** "Structured reply types": those with this bit are errors, known or not. */
export const chunkErrorBit = 0x8000;

/** "`base:allocation` metadata context" */
export const baseAllocation = 'base:allocation';
export const NBD_STATE = { HOLE: 1 << 0, ZERO: 1 << 1 } as const;

/** "Error values" */
export const NBD_ERROR = {
	EPERM: 1,
	EIO: 5,
	ENOMEM: 12,
	EINVAL: 22,
	ENOSPC: 28,
	EOVERFLOW: 75,
	ENOTSUP: 95,
	ESHUTDOWN: 108,
} as const;
export type NbdErrno = (typeof NBD_ERROR)[keyof typeof NBD_ERROR];

/** "Block size constraints": the largest payload that one side may send or ask for when nothing else was said. */
export const defaultMaximumPayloadBytes = 32 * 1024 * 1024;
