import { isAbsolute } from 'node:path';

/** Of each name that may stand behind the `?` of an address, whether its value is accepted. */
type Accepted = Readonly<Record<string, (value: string) => boolean>>;

/** What stands there; throws what `refused` makes of everything else. */
export function readQuery(search: string, accepted: Accepted, refused: (why: string) => Error): Map<string, string> {
	const given = new Map<string, string>();
	for (const pair of search.replace(/^\?/, '').split('&')) {
		if (pair === '') continue;
		const [name = '', ...rest] = pair.split('=');
		const value = decoded(rest.join('='));
		const isFit = Object.hasOwn(accepted, name) ? accepted[name] : undefined;
		if (isFit === undefined) throw refused(`${name} is not known`);
		if (value === undefined || !isFit(value)) throw refused(`what it says of ${name} is not accepted`);
		given.set(name, value);
	}
	return given;
}

/** Undefined for what is no percent encoding. */
export function decoded(text: string): string | undefined {
	try {
		return decodeURIComponent(text);
	} catch {
		return undefined;
	}
}

export function isPath(text: string): boolean {
	return isAbsolute(text) && text !== '/' && /^\P{C}{1,400}$/u.test(text);
}
