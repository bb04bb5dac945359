/** Names of a repository's objects (docs/format.md, "Objects"). */
export const keys = {
	header: 'rouse-repository',
	headerCopy: 'rouse-repository.copy',
	/** Spread over 256 prefixes, so that no directory grows huge. */
	pack: (packId: string) => `packs/${packId.slice(0, 2)}/${packId}`,
	packs: 'packs/',
	index: (indexId: string) => `index/${indexId}`,
	indexes: 'index/',
	/** `time`: model/names.ts, `pointTimeSchema`. */
	point: (machine: string, time: string) => `points/${machine}/${time.replaceAll(/[-:]/g, '')}`,
	pointsOf: (machine: string) => `points/${machine}/`,
	points: 'points/',
	pin: (recoveryId: string) => `pins/${recoveryId}`,
	pins: 'pins/',
	intent: (importId: string) => `intents/${importId}`,
	intents: 'intents/',
	journal: (importId: string, number: number) => `journal/${importId}/${String(number).padStart(10, '0')}`,
	journalOf: (importId: string) => `journal/${importId}/`,
	journals: 'journal/',
	badPlace: (packId: string, offsetBytes: number) => `bad/${packId}/${offsetBytes}`,
	badPlaces: 'bad/',
	features: 'features/',
} as const;

/** The pack that a key names, or undefined when it is not a pack's key. */
export function packIdOfKey(key: string): string | undefined {
	const packId = /^packs\/[0-9a-f]{2}\/([0-9a-f]{32})$/.exec(key)?.[1];
	return packId !== undefined && keys.pack(packId) === key ? packId : undefined;
}

export function indexIdOfKey(key: string): string | undefined {
	return /^index\/([0-9a-f]{32})$/.exec(key)?.[1];
}

const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** The id behind a prefix; whatever else is called so is nothing of ours. */
function idOfKey(key: string, prefix: string): string | undefined {
	const id = key.startsWith(prefix) ? key.slice(prefix.length) : '';
	return uuid.test(id) ? id : undefined;
}

/** The recovery whose pin a key names. */
export function pinOfKey(key: string): string | undefined {
	return idOfKey(key, keys.pins);
}

/** The import whose intent a key names. */
export function intentOfKey(key: string): string | undefined {
	return idOfKey(key, keys.intents);
}

export function journalOfKey(key: string): { importId: string; number: number } | undefined {
	const [, before, number] = /^(.*)\/(\d{10})$/.exec(key) ?? [];
	const importId = before === undefined ? undefined : idOfKey(before, keys.journals);
	return importId === undefined ? undefined : { importId, number: Number(number) };
}

/** The place that a key of a bad place names. */
export function badPlaceOfKey(key: string): { packId: string; offsetBytes: number } | undefined {
	const [, packId, offset] = /^bad\/([0-9a-f]{32})\/(0|[1-9][0-9]{0,9})$/.exec(key) ?? [];
	return packId === undefined ? undefined : { packId, offsetBytes: Number(offset) };
}

/** Machine and full time of the point that a key names, neither of them checked further. */
export function pointOfKey(key: string): { machine: string; time: string } | undefined {
	const [, machine, year, month, day, hour, minute, rest] =
		/^points\/([^/]+)\/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d\.\d{3}Z)$/.exec(key) ?? [];
	if (machine === undefined) return undefined;
	return { machine, time: `${year}-${month}-${day}T${hour}:${minute}:${rest}` };
}
