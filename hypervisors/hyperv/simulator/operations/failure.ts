import type { DriverFailure } from '../../driver/wire.ts';

/** The driver's own judgement: not Windows said it. */
export class DriverRefusal extends Error {
	override readonly name = 'DriverRefusal';
	readonly code: DriverFailure['code'];

	constructor(code: DriverFailure['code'], message: string) {
		super(message);
		this.code = code;
	}
}
