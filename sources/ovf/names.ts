/**
 * What a description of machines is written in: DMTF DSP0243, "Open Virtualization Format Specification", 1.1 and 2.1. Its
 * namespaces count, and not by which prefixes they are called.
 */
import type { XmlElement } from '../parse-xml.ts';

type Namespace = RegExp;

/** The old oVirt has a slash at its end. */
export const ovf: Namespace = /^http:\/\/schemas\.dmtf\.org\/ovf\/envelope\/[12]\/?$/;
/** Fields of an item of hardware, which OVF 2 has from three classes. */
export const cim: Namespace =
	/^http:\/\/schemas\.dmtf\.org\/wbem\/wscim\/1\/cim-schema\/2\/CIM_(Resource|Storage|EthernetPort)AllocationSettingData(\.xsd)?$/;
export const vmware: Namespace = /^http:\/\/www\.vmware\.com\/schema\/ovf$/;
export const virtualBox: Namespace = /^http:\/\/www\.virtualbox\.org\/ovf\/machine$/;

export function childrenOf(element: XmlElement | undefined, names: string | readonly string[], of = ovf): XmlElement[] {
	return element?.children.filter(({ uri, name }) => of.test(uri) && [names].flat().includes(name)) ?? [];
}

export function childOf(element: XmlElement | undefined, name: string, of = ovf): XmlElement | undefined {
	return childrenOf(element, name, of)[0];
}

/** Below a machine of VirtualBox, whose elements are in whatever namespace is the document's: by name alone. */
export function descendantsOf(element: XmlElement | undefined, ...path: readonly string[]): XmlElement[] {
	let found = element === undefined ? [] : [element];
	for (const step of path) found = found.flatMap(({ children }) => children.filter(({ name }) => name === step));
	return found;
}

/** Longer ones mean nothing, and would fill a screen. */
export const maxValueCharacters = 500;

/** Some programs write attributes of OVF without their namespace. Undefined for an empty one, as oVirt writes many. */
export function attributeOf(element: XmlElement | undefined, name: string, of = ovf): string | undefined {
	const found = element?.attributes.find(
		attribute => attribute.name === name && (attribute.uri === '' || of.test(attribute.uri)),
	);
	return found?.value.trim().slice(0, maxValueCharacters) || undefined;
}
