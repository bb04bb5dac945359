/** Numbers of the protocol by name, for messages: never the bare number where there is a word for it. */
import { NBD_CMD, NBD_ERROR, NBD_OPT, NBD_REP } from './constants.ts';

/** `NBD_CMD_READ` */
export function commandName(type: number): string {
	const name = nameIn(NBD_CMD, type);
	return name === undefined ? `NBD_CMD ${type}` : `NBD_CMD_${name}`;
}

/** `NBD_OPT_GO` */
export function optionName(option: number): string {
	const name = nameIn(NBD_OPT, option);
	return name === undefined ? `NBD_OPT ${option}` : `NBD_OPT_${name}`;
}

/** `NBD_REP_ERR_UNKNOWN` */
export function optionErrorName(type: number): string {
	const name = nameIn(NBD_REP, type);
	return name === undefined ? `option error ${hex(type)}` : `NBD_REP_${name}`;
}

/** `EIO` */
export function errnoName(value: number): string {
	return nameIn(NBD_ERROR, value) ?? `error ${value}`;
}

export function hex(value: number | bigint): string {
	return `0x${value.toString(16)}`;
}

function nameIn(names: Readonly<Record<string, number>>, value: number): string | undefined {
	return Object.keys(names).find(name => names[name] === value);
}
