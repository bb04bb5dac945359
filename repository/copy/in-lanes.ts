/**
 * Has each part worked on, so many of them at once, in the order in which they come. With the first error `failed` is aborted and no part
 * is begun any more. Settles when all that were begun have ended; rejects with that error.
 */
export async function inLanes<Part>(
	parts: AsyncGenerator<Part>,
	lanes: number,
	failed: AbortController,
	work: (part: Part) => Promise<void>,
): Promise<void> {
	const lane = async () => {
		try {
			for (;;) {
				const next = await parts.next();
				if (next.done === true || failed.signal.aborted) return;
				await work(next.value);
			}
		} catch (error) {
			failed.abort(error); // the other lanes stop, for the same reason
		}
	};
	await Promise.all(Array.from({ length: lanes }, lane));
	await parts.return(undefined);
	failed.signal.throwIfAborted();
}
