/** The door's process: `node keeper/door/door-main.ts OPTIONS`, with its options as JSON. Kept by the keeper. */
import * as z from 'zod';
import { asRouseError } from '../../model/errors.ts';
import { createLog } from '../../system/log.ts';
import { openDoor } from './door.ts';

const optionsSchema = z.strictObject({ keys: z.string(), port: z.int(), socket: z.string() });

process.umask(0o077);
const log = createLog('temporal-door');
try {
	const options = optionsSchema.parse(JSON.parse(process.argv[2] ?? ''));
	await openDoor(options);
	log.info(`open at port ${options.port}`);
} catch (thrown) {
	const { code, message, exitCode } = asRouseError(thrown);
	log.fatal({ code, err: thrown }, message);
	process.exit(exitCode);
}
