/** Elements of libvirt's documents, which have no namespace; those of its metadata may have any. */
import { parseXml, type XmlElement } from '../parse-xml.ts';

export function documentOf(text: string): XmlElement {
	return parseXml(Buffer.from(text), 'what libvirt says');
}

/** By the names that lead to them. */
export function elementsAt(element: XmlElement, ...path: readonly string[]): XmlElement[] {
	let found = [element];
	for (const step of path)
		found = found.flatMap(({ children }) => children.filter(({ uri, name }) => uri === '' && name === step));
	return found;
}

export function elementAt(element: XmlElement, ...path: readonly string[]): XmlElement | undefined {
	return elementsAt(element, ...path)[0];
}

/** Undefined for one that is empty. */
export function attribute(element: XmlElement | undefined, name: string): string | undefined {
	return element?.attributes.find(one => one.uri === '' && one.name === name)?.value || undefined;
}

/** For text and for values in single quotes. XML has no way to write other control characters than these. */
export function escaped(text: string): string {
	return text.replaceAll(/[&<>'"\t\n\r]/g, found => `&#${found.codePointAt(0)};`);
}
