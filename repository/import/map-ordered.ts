/**
 * Applies `work` to each item, up to `inFlight` at once, started in order; yields the results in order. When the loop is
 * left, or something fails, it waits for what was started: nothing goes on behind the caller's back. The first failure
 * in order is the one that is thrown.
 */
export async function* mapOrdered<T, R>(
	items: AsyncIterable<T>,
	inFlight: number,
	work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
	const started: Promise<R>[] = [];
	try {
		for await (const item of items) {
			const result = work(item);
			result.catch(() => {}); // looked at below, in its turn
			started.push(result);
			if (started.length >= inFlight) yield await next(started);
		}
		while (started.length > 0) yield await next(started);
	} finally {
		await Promise.allSettled(started);
	}
}

function next<R>(started: Promise<R>[]): Promise<R> {
	const first = started.shift();
	if (first === undefined) throw new Error('nothing was started');
	return first;
}
