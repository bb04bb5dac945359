/** Texts that are given for a disk: pointers to it, answers of servers, descriptions of machines. */

/** A file that is no disk, of this or any other kind. */
export interface OtherFile {
	/** As a sentence goes on behind "it is". */
	what: string;
	/** What to do. */
	hint: string;
}

/** Whole files of this size at most are taken for a text because of what they consist of. */
export const maxTextBytes = 64 * 1024;

/** How a text that is known goes on at its start; sooner ones win. */
const known: readonly [begins: RegExp, what: string, hint: string][] = [
	[
		/^version https:\/\/git-lfs\.github\.com\/spec\//,
		'a pointer of Git LFS to the file, and not the file',
		'git lfs pull',
	],
	[
		/^(\/annex\/objects\/|(\.\.[/\\])*\.git[/\\]annex[/\\])/,
		'a pointer of git-annex to the file, and not the file',
		'git annex get FILE',
	],
	[
		/^<(!doctype\s+html|html|head|body)\b/i,
		'a page of a web server (HTML), perhaps its error',
		'look into it, and download the disk again',
	],
	[/^<(Error|ListBucketResult)\b/i, 'the answer of a server (XML)', 'look into it, and download the disk again'],
	[
		/^<Envelope\b|^<ovf:Envelope\b/i,
		'the description of a machine (OVF)',
		'import it by a name that ends with .ovf, with its disks beside it',
	],
	[
		/^# Disk DescriptorFile/i,
		'the description of a VMDK that is not understood',
		'copy it again, with all parts beside it',
	],
	[/^<domain\b/i, 'the description of a machine (libvirt)', 'import the disks that it names'],
];
const xml = {
	what: 'a text (XML), perhaps the description of a machine (OVF)',
	hint: 'import the disks that it names',
};

/** Lines of a VMX, in whatever order: VMware writes each at least once. */
const vmx = /^(\.encoding|config\.version|virtualHW\.version) *= *"/im;

/** `bytes`: the file's first, and `isWhole` when they are all of it. */
export function textFileOf(bytes: Buffer, isWhole: boolean): OtherFile | undefined {
	const text = bytes
		.toString('latin1')
		.replace(/^\xef\xbb\xbf/, '')
		.trimStart();
	const isXml = /^<(\?xml|!--)/i.test(text);
	const start = isXml ? text.replace(/^(<\?xml\b.*?\?>\s*|<!--.*?-->\s*)+/is, '') : text;
	const found = known.find(([begins]) => begins.test(start));
	if (found) return { what: found[1], hint: found[2] };
	if (isXml) return xml;
	if (!isWhole || !isText(bytes)) return undefined;
	if (vmx.test(text)) return { what: 'the description of a machine (VMX)', hint: 'import the disks that it names' };
	return { what: 'a text, and no more', hint: 'look into it: it may tell where the disk is, or why there is none' };
}

/** Lines in UTF-8, without control characters: a disk begins with code, a table or zeros. */
function isText(bytes: Buffer): boolean {
	if (!bytes.includes('\n') && !/^\s*[{[<]/.test(bytes.toString('latin1'))) return false;
	try {
		const text = new TextDecoder('utf8', { fatal: true }).decode(bytes);
		return !/[^\P{Cc}\t\n\f\r]/u.test(text);
	} catch {
		return false;
	}
}
