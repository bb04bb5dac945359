/*
 * Text that others had a hand in – names in a repository, a guest's console, what a tool said – must not steer the terminal
 * that shows it. What steers: the control characters C0, DEL and C1 (ECMA-48, sections 5.2 and 5.3), which begin all escape
 * sequences, and the marks that turn the direction of writing (Unicode 16, section 23.2; UAX #9, section 2), with which a
 * text can be made to look like another one.
 */
const steering = '\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069';
const anySteering = new RegExp(`[${steering}]`, 'g');
const exceptLines = new RegExp(`(?![\\n\\t])[${steering}]`, 'g');

/** For people: each of these characters as `\u001b`; lines and tabs stay. */
export function terminalText(text: string): string {
	return text.replaceAll('\r\n', '\n').replace(exceptLines, escaped);
}

/** In one line: lines and tabs are shown as well. For a cell of a table, a line of progress. */
export function terminalLine(text: string): string {
	return text.replace(anySteering, escaped);
}

/** JSON in one line that means the same: its C0 is escaped already, and the rest stands only in strings. */
export function terminalJson(json: string): string {
	return json.replace(exceptLines, escaped);
}

function escaped(character: string): string {
	return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
