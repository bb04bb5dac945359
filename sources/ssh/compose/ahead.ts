/**
 * What becomes of each item, in their order; the next ones are begun before they are asked for. Whoever leaves early is told of none that
 * fails then.
 */
export async function* ahead<T, R>(
	items: Iterable<T>,
	work: (item: T) => Promise<R>,
	most: number,
): AsyncGenerator<{ item: T; result: R }> {
	const begun: { item: T; result: Promise<R> }[] = [];
	const iterator = items[Symbol.iterator]();
	for (;;) {
		while (begun.length < most) {
			const next = iterator.next();
			if (next.done) break;
			const result = work(next.value);
			result.catch(() => {}); // told when it is its turn
			begun.push({ item: next.value, result });
		}
		const first = begun.shift();
		if (first === undefined) return;
		yield { item: first.item, result: await first.result };
	}
}
