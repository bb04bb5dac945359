import type { RecoveryRequest } from '../../model/recovery.ts';

type Fields = Partial<RecoveryRequest>;

/**
 * What most of the requests have in common, said once, and what each has otherwise: thousands of them have to fit one
 * payload. A field that one of them lacks is not common to any.
 */
export function sharedFields(requests: readonly RecoveryRequest[]): { common: Fields; differs: Fields[] } {
	const common: Fields = {};
	for (const field of new Set(requests.flatMap(request => Object.keys(request)))) {
		const holder = mostFrequent(requests, field);
		if (holder !== undefined) Object.assign(common, pick(holder, field));
	}
	const differs = requests.map(request => {
		const fields = Object.keys(request).filter(field => textOf(request, field) !== textOf(common, field));
		return Object.assign({}, ...fields.map(field => pick(request, field)));
	});
	return { common, differs };
}

/** A request with the value that most have; undefined when one has none, or no two the same. */
function mostFrequent(requests: readonly RecoveryRequest[], field: string): RecoveryRequest | undefined {
	const counts = new Map<string, { count: number; holder: RecoveryRequest }>();
	for (const request of requests) {
		const text = textOf(request, field);
		if (text === undefined) return undefined;
		const count = (counts.get(text)?.count ?? 0) + 1;
		counts.set(text, { count, holder: request });
	}
	const [first] = [...counts.values()].toSorted((a, b) => b.count - a.count);
	return first && (first.count > 1 || requests.length === 1) ? first.holder : undefined;
}

function pick(from: Fields, field: string): Fields {
	return Object.fromEntries(Object.entries(from).filter(([key]) => key === field));
}

function textOf(from: Fields, field: string): string | undefined {
	const entry = Object.entries(from).find(([key]) => key === field);
	return entry === undefined ? undefined : JSON.stringify(entry[1]);
}
