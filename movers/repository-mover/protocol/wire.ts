/**
 * What is said to a repository mover, version 1. A connection is a stream of bytes each way: a Unix socket, or TLS 1.3 with
 * `rouse-chunks/1` as its protocol (ALPN). Numbers are unsigned and little-endian.
 *
 * The client begins, and need not wait for the other's hello before it asks:
 *
 *     "ROUSE-CP" | u32 version | u8 names | u8 0 | u16 length | that many bytes, at most 4,096
 *
 * `names` is what it will name chunks by: 0 references, 1 places. The bytes are, with references, the recovery whose copy it is
 * (all without one are the same); with places, the token of a restore point. The mover answers
 *
 *     "ROUSE-CP" | u32 version
 *
 * These first twelve bytes are the same in every version. A mover that is not begun with like this, or by another version, says
 * its hello and ends the connection; a client of another one leaves.
 *
 * A request:
 *
 *     u8 class | u8 flags | u16 count, 1 to 2,048 | count names
 *
 * Class 0 is `mount`, 1 `ahead`, 2 `migration`; bit 0 of the flags is `locate`, the others are 0. A reference is 56 bytes as in a
 * page entry (docs/format.md, "Reference"), a zero entry is refused. A place is 44 bytes, so that nothing else can be named
 * than what lies in the token's restore point:
 *
 *     digest of the disk's root | u32 height | u64 number
 *
 * A request MAY be sent while the one before it is answered, and no second one. An answer is frames, until all chunks asked
 * for have come, in the order of their names:
 *
 *     u8 1 | u8 0 | u16 count | count times u32 length (at least 1) | the chunks, as they lie in the pack, one behind the other
 *
 * in which chunks have at most 1 MiB together, or it is a single one. An answer of the class `ahead` begins when its first piece
 * has had its turn at the repository's limit, and then comes without waiting for that. An error, which is a document of
 * model/errors.ts as JSON of at most 64 KiB, ends the answer before all have come:
 *
 *     u8 3 | u8 0 | u16 0 | u32 length | that many bytes
 *
 * The next request is answered after it as after a whole answer; with 4 in the place of 3 the mover ends the connection. By
 * TLS there may be, between two frames and also between two answers,
 *
 *     u8 2 | u8 0 | u16 0
 *
 * which says that the mover is there. While it answers, and while a request comes, it says something every `aliveEveryMs`; a
 * connection that says nothing at all for much longer is dead, whatever TCP thinks of it.
 *
 * Who ends one way of a connection ends all of it. An answer that is not ended by all chunks or an error is of a mover that
 * died: what came before is good, ask for the rest. A connection with no request under way is kept for `keepAliveMs`.
 */
export const protocolVersion = 1;
export const chunkProtocol = `rouse-chunks/${protocolVersion}`;

/** Chunks in one request: 8 MiB of disk in chunks of 4 KiB, 256 MiB in chunks of 128 KiB. */
export const maxReferences = 2048;

/** A silent peer of more than a few of these is none (tls-connections.ts). */
export const aliveEveryMs = 2_000;

/** Movers keep connections for bursts that may be minutes apart; a closed one costs the next read round trips. */
export const keepAliveMs = 120_000;

export const maxErrorBytes = 64 * 1024;

export const frameHeadBytes = 4;
export const frameKinds = { range: 1, alive: 2, error: 3, refusal: 4 } as const;
