import type { OpenedFile } from '../opened-file.ts';

/** What a description comes in: an archive of it and its files (OVA), or a directory with all of them: DSP0243, "OVF Package". */
export interface OvfPackage {
	/** The description; closed with the package. */
	descriptor: OpenedFile;
	/** What the package has of this ending (".mf") that belongs to the description. */
	besides: (ending: string) => Promise<OpenedFile | undefined>;
	/** Opens a file by the name that a description gives it. Throws `source_invalid`. */
	open: (name: string) => Promise<OpenedFile>;
	close: () => Promise<void>;
}
