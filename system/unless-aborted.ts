/** Ends with the signal's reason as soon as it is aborted; `work`, if it was begun, is left to itself. */
export async function unlessAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
	if (signal === undefined) return work();
	signal.throwIfAborted();
	const aborted = Promise.withResolvers<never>();
	const abort = () => aborted.reject(signal.reason);
	signal.addEventListener('abort', abort, { once: true });
	try {
		return await Promise.race([work(), aborted.promise]);
	} finally {
		signal.removeEventListener('abort', abort);
	}
}
