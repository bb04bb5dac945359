import type { ErrorCode, RouseError } from '../../model/errors.ts';

/** What is worth telling and no damage: nothing is lost by it. */
export type NoticeCode =
	| 'bad_place'
	| 'chunk_replaced'
	| 'copy_missing'
	| 'feature_unknown'
	| 'import_open'
	| 'import_ended'
	| 'index_superseded'
	| 'index_surplus'
	| 'journal_left'
	| 'key_unknown'
	| 'mark_stale'
	| 'pack_unindexed'
	| 'pin_without_point'
	| 'read_wrong_once'
	| 'temporary_left'
	| 'zero_chunk';

export interface Finding {
	/** The object. */
	key: string;
	kind: 'damage' | 'notice';
	code: ErrorCode | NoticeCode;
	what: string;
	/** What to do. */
	hint: string;
}

/** Kept at most: whoever has more has lost the repository, and needs no list. */
const maxFindings = 10_000;

/** What a look at a repository has found. */
export class Findings {
	readonly list: Finding[] = [];
	damaged = 0;
	/** Found and not kept. */
	leftOut = 0;
	readonly #max: number;
	/** Among those kept. */
	#notices = 0;

	constructor(max = maxFindings) {
		this.#max = max;
	}

	damage(key: string, code: ErrorCode, what: string, hint: string): void {
		this.damaged++;
		this.#add({ key, kind: 'damage', code, what, hint });
	}

	/** Damage as whoever read the object tells it. */
	error(
		key: string,
		error: RouseError,
		hint = error.hint ?? 'put this object back from a copy of the repository',
	): void {
		this.damage(key, error.code, error.message, hint);
	}

	notice(key: string, code: NoticeCode, what: string, hint: string): void {
		this.#add({ key, kind: 'notice', code, what, hint });
	}

	/** Those of another look, behind these. */
	take({ list, damaged, leftOut }: Findings): void {
		this.damaged += damaged;
		this.leftOut += leftOut;
		for (const finding of list) this.#add(finding);
	}

	/** However much there is to be noted: damage is named sooner. */
	#add(finding: Finding): void {
		const isDamage = finding.kind === 'damage';
		if (this.list.length >= this.#max) {
			this.leftOut++;
			if (!isDamage || this.#notices === 0) return;
			this.list.splice(
				this.list.findLastIndex(({ kind }) => kind === 'notice'),
				1,
			);
			this.#notices--;
		}
		this.list.push(finding);
		if (!isDamage) this.#notices++;
	}
}
