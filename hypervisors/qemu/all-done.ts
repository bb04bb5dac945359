/** Like `Promise.all`, but when it throws nothing is still being done: no file appears behind the caller's back. */
export async function allDone(work: readonly Promise<void>[]): Promise<void> {
	for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}
