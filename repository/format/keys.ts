/** Names of a repository's objects (docs/format.md, "Objects"). */
export const keys = {
	header: 'rouse-repository',
	/** Spread over 256 prefixes, so that no directory grows huge. */
	pack: (packId: string) => `packs/${packId.slice(0, 2)}/${packId}`,
	packs: 'packs/',
	point: (machine: string, time: string) => `points/${machine}/${time}`,
	pointsOf: (machine: string) => `points/${machine}/`,
	points: 'points/',
	pin: (recoveryId: string) => `pins/${recoveryId}`,
	pins: 'pins/',
	intent: (importId: string) => `intents/${importId}`,
	intents: 'intents/',
} as const;

/** The pack that a key names, or undefined when it is not a pack's key. */
export function packIdOfKey(key: string): string | undefined {
	const packId = /^packs\/[0-9a-f]{2}\/([0-9a-f]{32})$/.exec(key)?.[1];
	return packId !== undefined && keys.pack(packId) === key ? packId : undefined;
}
