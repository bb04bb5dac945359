/** Which machines a batch means. Pure. */

/** `*` stands for any number of characters, `?` for one. */
export function isPattern(written: string): boolean {
	return /[*?]/.test(written);
}

export function matching(pattern: string, names: readonly string[]): string[] {
	const shape = new RegExp(`^${pattern.replaceAll(/\*+/g, '.*').replaceAll('?', '.')}$`);
	return names.filter(name => shape.test(name));
}
