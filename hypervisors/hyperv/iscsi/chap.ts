import { randomInt } from 'node:crypto';
import { RouseError } from '../../../model/errors.ts';

/** Who logs in; one secret for target and discovery. */
export const chapUser = 'rouse';

/** Windows' initiator takes 12 to 16: https://learn.microsoft.com/en-us/powershell/module/iscsi/connect-iscsitarget */
const secretLength = 16;
const characters = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789';

/** 93 bits. Recorded by the caller before a target is started with it: the host's sessions log in with it again. */
export function freshChapSecret(): string {
	return Array.from({ length: secretLength }, () => characters[randomInt(characters.length)]).join('');
}

/** Throws `config_invalid` for one that Windows would not take, or that is not plain letters and digits. */
export function checkChapSecret(secret: string): void {
	if (!/^[A-Za-z\d]{12,16}$/.test(secret))
		throw new RouseError(
			'config_invalid',
			`a CHAP secret of ${secret.length} characters, not 12 to 16 letters and digits`,
		);
}
