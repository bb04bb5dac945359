/** How long a failure counts: on a busy host a trial may fail that succeeds a moment later. */
const failureMs = 60_000;

/**
 * What a trial says: what is missing, or nothing. That counts for good, a failure until somebody asks when a minute has
 * passed. Of several who ask at once, one tries.
 */
export function keptTrial(
	trial: () => Promise<string | undefined>,
	{ clock = () => performance.now() } = {},
): () => Promise<string | undefined> {
	let kept: { answer: Promise<string | undefined>; until: number } | undefined;
	return () => {
		if (kept && clock() < kept.until) return kept.answer;
		const begun = { answer: trial(), until: Number.POSITIVE_INFINITY };
		const end = (until: number) => void (begun.until = until);
		begun.answer.then(
			missing => missing !== undefined && end(clock() + failureMs),
			() => end(0), // not even tried
		);
		kept = begun;
		return begun.answer;
	};
}
