/** The family of a guest's system, by its number in the CIM schema (CIM_OperatingSystem.OSType) or what programs call it. */
import type { OsFamily } from '../../model/machine.ts';

/** From 111 on the versions of the schema differ, and all of them mean a Windows; 125 is what oVirt writes for CoreOS. */
const windowsNumbers = [
	[15, 19],
	[58, 58],
	[63, 63],
	[67, 67],
	[69, 77],
	[103, 103],
	[105, 105],
	[111, 124],
] as const;
const linuxNumbers = [
	[36, 36],
	[79, 80],
	[82, 87],
	[89, 101],
	[106, 109],
	[125, 125],
] as const;
/** "Unknown", "Other", "Not Applicable", "Other 64-Bit". */
const unknownNumbers = [0, 1, 66, 102];

/** VMware's `windows2019srv_64Guest` and `winNetEnterpriseGuest`, VirtualBox's `Windows10_64`, names of oVirt. */
const windowsWords = /^(microsoft )?win(?!e)/i;
const linuxWords =
	/linux|ubuntu|debian|rhel|red ?hat|centos|sles|suse|fedora|photon|coreos|rocky|alma|asianux|mandriva|gentoo|^arch|^nld|^oes|^sjds|^opensuse|^oracle(?! ?solaris)/i;
const otherWords =
	/bsd|solaris|opensolaris|darwin|mac ?os|netware|os2|dos|vmkernel|ecomstation|unixware|openserver|haiku|qnx/i;

const isIn = (ranges: readonly (readonly [number, number])[], value: number) =>
	ranges.some(([from, to]) => value >= from && value <= to);

/** `texts`: what programs call it, the most exact first. Undefined where nothing is known. */
export function osFamilyOf(number: number | undefined, texts: readonly (string | undefined)[]): OsFamily | undefined {
	for (const text of texts) {
		const found = text === undefined ? undefined : familyOfText(text);
		if (found !== undefined) return found;
	}
	if (number === undefined || unknownNumbers.includes(number)) return undefined;
	if (isIn(windowsNumbers, number)) return 'windows';
	return isIn(linuxNumbers, number) ? 'linux' : 'other';
}

function familyOfText(text: string): OsFamily | undefined {
	if (windowsWords.test(text)) return 'windows';
	if (linuxWords.test(text)) return 'linux';
	return otherWords.test(text) ? 'other' : undefined;
}
