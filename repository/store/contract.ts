/**
 * Where the objects of a repository lie: a directory, memory, later an object store. Nothing above this interface may
 * assume a file system. MUST and MAY are those of RFC 2119; `conformance.ts` holds every implementation to them.
 *
 * Keys: 1 to 512 of `a-z 0-9 A-Z . _ - /`, parts between slashes are not empty and do not start with "."; no
 * key is another one's with a slash and more behind it. Objects are
 * immutable: there is no way to change one. All methods MAY be called concurrently, by several processes at once.
 * Errors by code: `store_unreachable` (transient) when the store does not answer, `space_short` when it is full,
 * `io_failed` when it refuses to write, or to read just these bytes, `format_damaged` when what is in the place of an object
 * cannot be one; what else a method throws is said there.
 *
 * A `signal` that is aborted ends a call with its reason: at once when it had not begun, else as soon as what the store
 * is waiting for lets it. Whoever cannot wait for that stops waiting himself (until-aborted.ts).
 */
export interface Store {
	readonly properties: StoreProperties;
	/** For people: a directory, a URL. */
	readonly location: string;
	/**
	 * Creates an object, whole or not at all, durable when it returns, also by the names of what it lies in, whoever made that. False, and nothing changed, when the key is taken:
	 * of several that try at once exactly one gets true. `data` must not change meanwhile. A put that ended with the
	 * signal's reason has left nothing; one that has come further ends as if there were no signal.
	 */
	putExclusive(key: string, data: Uint8Array, signal?: AbortSignal): Promise<boolean>;
	/**
	 * Begins an object that is too large to be handed over at once. Nothing is there before `finish`; whoever begins one ends
	 * it, by `finish` or `abandon`. A signal that is aborted ends what is under way as it ends a put.
	 */
	create(key: string, signal?: AbortSignal): Promise<ObjectWriter>;
	/**
	 * Returns when the names of all objects that were there under this prefix ("" or ending with "/") are durable, whoever
	 * made them: one may be seen before the put that made it has returned.
	 */
	settle(prefix: string, signal?: AbortSignal): Promise<void>;
	/**
	 * Fills `into` with the object's bytes from `offsetBytes` on and returns how many there were: fewer than asked for at
	 * the object's end, 0 past it. Nothing writes into `into` any more when this has settled. Undefined when there is no such object. `io_failed` when the medium has lost these bytes
	 * or is gone as a whole: which of the two, a look at other objects tells.
	 */
	read(key: string, offsetBytes: number, into: Uint8Array, signal?: AbortSignal): Promise<number | undefined>;
	/**
	 * As `read`, within this call, when that is possible now without waiting for anything but these bytes; undefined when it is not, for
	 * whatever reason: `read` says why. Absent where a store may keep the caller waiting for long, as over a network.
	 */
	readNow?(key: string, offsetBytes: number, into: Uint8Array): number | undefined;
	/** Undefined when there is no such object. `io_failed` as of `read`. */
	size(key: string, signal?: AbortSignal): Promise<number | undefined>;
	/**
	 * Every object whose key starts with `prefix`, sorted by key. An object made or deleted during the listing MAY be
	 * missing from it; every other one is listed exactly once; one whose size cannot be
	 * told, because it is none or the medium has lost it, with 0. Breaking out of the loop ends it.
	 */
	list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredObject>;
	/** As `list`, where nobody asks for sizes: looking for them may be most of what a listing costs. */
	listKeys(prefix: string, signal?: AbortSignal): AsyncIterable<string>;
	/** What crashes have left of objects that never came to be, by names that no key has. Absent where nothing can be left. */
	leftovers?(signal?: AbortSignal): AsyncIterable<StoredObject>;
	/** Durable when it returns. Deleting what is not there succeeds. */
	delete(key: string): Promise<void>;
	/**
	 * Nothing is put under this prefix (ending with "/") any more: what the store has of it beside objects may go, as well as that
	 * can be done. Absent where there is no such thing.
	 */
	forget?(prefix: string): Promise<void>;
	/** Frees what it holds; idempotent. Nothing may be called afterwards. */
	close(): Promise<void>;
}

/** An object that is being written. Its methods are called one after the other; after one that failed only `abandon`. */
export interface ObjectWriter {
	/** `bytes` MAY be used again when it returns. */
	append(bytes: Uint8Array): Promise<void>;
	/** As `putExclusive`: durable, or false when the key is taken, and then nothing is left of it. */
	finish(): Promise<boolean>;
	/** Leaves nothing of an object that was not finished; idempotent, and does nothing after `finish`. */
	abandon(): Promise<void>;
}

export interface StoredObject {
	key: string;
	sizeBytes: number;
}

/** What callers may want to know, as data instead of `instanceof`. */
export interface StoreProperties {
	/** Reads that may usefully be in flight at once. */
	maxParallelReads: number;
	/** Bytes of one read, when there is that much to read in one place. */
	readBytes: number;
}
