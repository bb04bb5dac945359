/** Bytes of devices on the other machine. */
export interface Ranges {
	/** Whether digests cost about what reading does; where not, they are only for a few large parts. */
	readonly digestsAreQuick: boolean;

	/** In bytes. `source_invalid` when there is no such device. */
	sizeOf(path: string, signal: AbortSignal): Promise<number>;

	/**
	 * Fills `into` whole, or throws: `source_invalid` when the device has no such bytes or does not give them, `source_unreachable` when
	 * the connection is gone.
	 */
	read(path: string, atBytes: number, into: Buffer, signal: AbortSignal): Promise<void>;

	/** SHA-256 of the first `firstBytes` of a range, then of each `unitBytes`, without its bytes coming here. */
	digests(path: string, range: DigestRange, signal: AbortSignal): Promise<Buffer[]>;

	/** Idempotent. Ends all that is still asked for with `source_unreachable`. */
	close(): Promise<void>;
}

export interface DigestRange {
	atBytes: number;
	lengthBytes: number;
	firstBytes: number;
	unitBytes: number;
}
