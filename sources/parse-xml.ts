/** XML 1.0 with namespaces, for descriptions that strangers wrote: nothing is fetched, and nothing stands for something else. */
import { SaxesParser, type SaxesTagNS } from 'saxes';
import { RouseError } from '../model/errors.ts';

export interface XmlElement {
	/** Of the namespace; empty where there is none. Prefixes mean nothing. */
	uri: string;
	name: string;
	attributes: { uri: string; name: string; value: string }[];
	children: XmlElement[];
	/** Of this element alone, without spaces around it. */
	text: string;
}

const maxDepth = 64;
const maxElements = 100_000;

/**
 * The root. `path` is for messages. Throws `source_invalid` when it is not well-formed, has a document type (which could declare
 * entities, and lead to other files), is nested deeper than 64, or is not UTF-8.
 */
export function parseXml(bytes: Buffer, path: string): XmlElement {
	const parser = new SaxesParser({ xmlns: true });
	const refuse = (what: string): never => {
		const place = `${path}:${parser.line}:${parser.column}`;
		throw new RouseError('source_invalid', `${place}: ${what.slice(0, 300)}`, {
			hint: 'copy it again, or export it anew',
		});
	};
	const open: XmlElement[] = [];
	let root: XmlElement | undefined;
	let count = 0;
	parser.on('error', error => refuse(error.message.replace(/^\d+:\d+: /, '')));
	parser.on('doctype', () => refuse('a document type (DOCTYPE) is not read'));
	parser.on('xmldecl', ({ encoding }) => {
		if (encoding !== undefined && !/^(utf-?8|us-ascii)$/i.test(encoding))
			refuse(`it is in ${encoding}, and UTF-8 is read`);
	});
	parser.on('opentag', tag => {
		if (open.length === maxDepth) refuse(`it is nested deeper than ${maxDepth}`);
		if (++count > maxElements) refuse(`it has more than ${maxElements} elements`);
		const element = elementOf(tag);
		root ??= element;
		open.at(-1)?.children.push(element);
		open.push(element);
	});
	const addText = (text: string) => {
		const last = open.at(-1);
		if (last !== undefined) last.text += text;
	};
	parser.on('text', addText);
	parser.on('cdata', addText);
	parser.on('closetag', () => {
		const element = open.pop();
		if (element !== undefined) element.text = withoutControls(element.text.trim());
	});
	parser.write(decoded(bytes, path)).close();
	return root ?? refuse('it is empty');
}

function elementOf({ uri, local, attributes }: SaxesTagNS): XmlElement {
	return {
		uri,
		name: local,
		attributes: Object.values(attributes).map(({ uri: of, local: name, value }) => ({
			uri: of,
			name,
			value: withoutControls(value),
		})),
		children: [],
		text: '',
	};
}

/** XML allows some as they are, and its version 1.1 all by their numbers ("&#27;"); a terminal takes them for orders. */
function withoutControls(text: string): string {
	return text.replaceAll(/[^\P{Cc}\t\n\r]/gu, '\ufffd');
}

function decoded(bytes: Buffer, path: string): string {
	try {
		return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
	} catch (error) {
		throw new RouseError('source_invalid', `${path} is no text in UTF-8`, { cause: error });
	}
}
