import type { ErrorDocument } from '../model/errors.ts';

/** One thing that happened to a recovery; docs/cli.md lists the kinds. */
export interface AuditEntry {
	at: string;
	kind:
		| 'requested'
		| 'order'
		| 'refused'
		| 'phase'
		| 'power'
		| 'parked'
		| 'unparked'
		| 'step'
		| 'step_failed'
		| 'incident'
		| 'lease'
		| 'left'
		| 'item'
		| 'end';
	text: string;
	/** Who gave the order. */
	by?: string;
	reason?: string;
	/** The machine of a batch that it is about. */
	item?: string;
	step?: string;
	attempt?: number;
	worker?: string;
	durationMs?: number;
	count?: number;
	/** For how long a service that died had lived. */
	livedMs?: number;
	failure?: ErrorDocument;
}
