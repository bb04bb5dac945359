/** For sh: only a single quote ends single quotes. */
export function quoted(text: string): string {
	return /^[\w./:@=,+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
