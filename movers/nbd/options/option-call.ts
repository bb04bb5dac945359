import type { NbdExport, NbdExports } from '../export.ts';
import type { SelectedContext } from '../transmission.ts';

/** What the options before have settled. */
export interface Negotiation {
	noZeroes: boolean;
	structuredReplies: boolean;
	/** Of the last NBD_OPT_SET_META_CONTEXT: it counts only for the export that it named. */
	contexts: { export: NbdExport; selected: readonly SelectedContext[] } | undefined;
	maximumAdvertised: boolean;
}

/** One option as its handler sees it. */
export interface OptionCall {
	readonly option: number;
	readonly data: Buffer;
	readonly negotiation: Negotiation;
	readonly exports: NbdExports;
	/** Sends a reply to this option; the last one of a handler is NBD_REP_ACK or an error. */
	reply(type: number, payload?: Buffer | string): void;
	/** Sends bytes that are not an option reply. */
	write(bytes: Buffer): void;
	/** Ends the haggling: from here on the client sends requests to this export. */
	transmit(chosen: NbdExport): void;
	/** Ends the session once its replies are written. */
	end(): void;
}

/** Throws `MalformedOption` for data that does not have the option's form; nothing else. */
export type OptionHandler = (call: OptionCall) => void;
