import type { StatedSpec } from '../../model/machine.ts';
import type { ImageTrust } from '../image-layers.ts';

/** What a person names to be imported: disks, or one appliance, which is a whole machine. */
export interface GivenDisks extends Pick<ImageTrust, 'format' | 'withBacking' | 'partial'> {
	sources: readonly string[];
	/** Undefined where nobody said it: an appliance has a name. */
	machine: string | undefined;
	/** What the person states of it. */
	stated: StatedSpec;
	/** The instance whose configuration it has, by its address. */
	configuration: string | undefined;
	/** What lets in at platforms, if anything was named. */
	credentialPath: string | null;
	/** Where archives of a cloud are kept as they are fetched. */
	spoolDirectory: string | null;
}

/** Who hears of it meanwhile. */
export interface GivenLook {
	signal: AbortSignal;
	/** Told of what is as it is, by a sentence. */
	onNote: (message: string) => void;
	/** Told of what may be wrong. */
	onDoubt: (warning: string) => void;
	/** Of a large image on slow storage even the tables take long. `what`: as `tables of web01.qcow2`. */
	onLook: (what: string, how: { doneBytes: number; totalBytes: number }) => void;
}
