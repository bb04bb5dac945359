/** Names of appliances, and those in their descriptions, which a stranger wrote: they lead to files of the appliance, and nowhere else. */
import { RouseError } from '../../model/errors.ts';
import { isNbdUri } from '../../nbd/protocol/uri.ts';

/** Whether a source is an appliance, by its name; an export of a server may be called as it likes. */
export const isApplianceName = (source: string) => !isNbdUri(source) && /\.(ova|ovf)$/i.test(source);

/**
 * What a name in a description may mean: it is an address (RFC 3986), and many programs write it as it is. Throws
 * `source_invalid` unless that lies in the package, beside the description.
 */
export function namesMeant(name: string): string[] {
	const names = [name];
	try {
		names.push(decodeURIComponent(name));
	} catch {
		// A "%" that begins nothing: the name is written as it is.
	}
	for (const one of names) {
		const isPlain = !/[/\\]|\p{Cc}/u.test(one) && !/^[a-z][a-z0-9+.-]*:/i.test(one) && !['', '.', '..'].includes(one);
		if (!isPlain || Buffer.byteLength(one) > 255)
			throw new RouseError(
				'source_invalid',
				`${JSON.stringify(name.slice(0, 300))} is no name of a file beside the description`,
				{
					hint: 'only files of the appliance itself are read: export the machine anew, with its disks in it',
				},
			);
	}
	return names;
}

export function absent(place: string, name: string): RouseError {
	return new RouseError('source_invalid', `${place} has no ${name}, which its description names`, {
		hint: 'copy it again, whole',
	});
}
