import type { ErrorCode } from '../../../model/errors.ts';

/** What some numbers of Windows mean to us. */
export interface Meaning {
	/** By the number as the driver writes it: `0x` and eight digits in upper case. */
	names: Readonly<Record<string, string>>;
	code: ErrorCode;
	hint: string;
}
