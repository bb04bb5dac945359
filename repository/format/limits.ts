/**
 * The largest that anything of a repository may be (docs/format.md, "Limits"). Writers stay below, readers refuse what is
 * above before they set memory aside for it: whoever can write a repository can write any number into it.
 */
export const limits = {
	/** Header, pin, intent and bad place: ids, names, a reason of 500 characters. */
	smallObjectBytes: 64 * 1024,
	/** 64 EFI variables of 64 KiB are 4 MiB; all else of 64 disks is far less. */
	manifestBytes: 8 * 1024 * 1024,
	/** A footer of 2.25 MiB. Packs of 64 MiB have some thousand; of chunks that hardly take any room there may be more. */
	packChunks: 65_536,
	disks: 64,
	diskBytes: 2 ** 50,
	/** Four levels of pages, and 256 MiB for whoever keeps a bit for each; with chunks of 128 KiB, 256 TiB of disk. */
	diskChunks: 2 ** 31,
	indexRecords: 2 ** 30,
	indexPacks: 2 ** 22,
	indexSuperseded: 4_096,
	/** As binary logarithm: a filter of 1 GiB. */
	indexBucketLog2: 24,
	journalBytes: 16 * 1024 * 1024,
	/** As JSON. */
	factsBytes: 64 * 1024,
} as const;
