/** Where the parent of a differencing VHDX is looked for. */
import type { ParentLocator } from '../vhdx/parent-locator.ts';

/**
 * By paths relative to the child's directory, in the order in which they are tried: where its relative path leads, unless that
 * is out of the directory; then what any of its paths calls the file, beside the child. Volumes, drives and shares of the
 * Windows that wrote them mean nothing here, and whoever exports or copies a machine has its disks in one directory.
 */
export function parentPlaces({ relativePath, volumePath, absolutePath }: ParentLocator): string[] {
	const paths = [relativePath, volumePath, absolutePath].flatMap(path => (path === undefined ? [] : [partsOf(path)]));
	const inside = relativePath === undefined || /^[\\/]/.test(relativePath) ? [] : [partsOf(relativePath)];
	const places = [...inside, ...paths.map(parts => parts.slice(-1))];
	return [...new Set(places.filter(areNames).map(parts => parts.join('/')))];
}

/** Windows takes either for a separator, and so no name has one. */
function partsOf(path: string): string[] {
	return path.split(/[\\/]/).filter(part => part !== '' && part !== '.');
}

/** A colon ends the name of a drive, or begins that of a stream. */
function areNames(parts: readonly string[]): boolean {
	return parts.length > 0 && parts.every(part => part !== '..' && !/[:\p{Cc}]/u.test(part));
}
