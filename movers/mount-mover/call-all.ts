/**
 * Calls each of them, whatever one throws: a read that is not told of its chunk would hang for ever. What was thrown is a
 * mistake in this program and no trouble of whoever delivered the value, so it is nobody's to catch: it ends the process,
 * and the machine's reads come again to the next one.
 */
export function callAll<T>(waiters: Iterable<(value: T) => void>, value: T): void {
	for (const waiter of waiters) {
		try {
			waiter(value);
		} catch (mistake) {
			queueMicrotask(() => {
				throw mistake;
			});
		}
	}
}
