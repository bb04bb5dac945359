/** Words of others, as records and messages keep them: in one line, with nothing that a terminal would obey, and not without end. */
export function printableText(text: string, most: number): string {
	return text.replaceAll(/\p{C}/gu, '?').trim().slice(0, most).toWellFormed();
}

/** As it is, or its beginning and `…`. */
export function shortened(text: string, most: number): string {
	return text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`;
}
