/** What was packed, and when that has ended how many bytes it was packed in. */
export interface Unpacked {
	pieces: AsyncIterable<Buffer>;
	packedBytes(): number;
}
