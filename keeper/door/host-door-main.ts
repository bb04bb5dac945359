/** The process of the door for hosts elsewhere: `node keeper/door/host-door-main.ts OPTIONS`, with its options as JSON. */
import * as z from 'zod';
import { asRouseError } from '../../model/errors.ts';
import { systemClock } from '../../system/clock.ts';
import { createLog } from '../../system/log.ts';
import { setPrivateUmask } from '../../system/private-umask.ts';
import { openHostDoor } from './host-door.ts';

const optionsSchema = z.strictObject({ home: z.string(), host: z.string(), port: z.int(), socket: z.string() });

setPrivateUmask();
const log = createLog('host-door');
try {
	const options = optionsSchema.parse(JSON.parse(process.argv[2] ?? ''));
	const onFailure = (err: Error) => log.error({ err }, 'nobody new is let in');
	await openHostDoor(options, {
		clock: systemClock,
		onFailure,
		onRefused: refused => log.warn(refused, 'a host makes a call that is not its own'),
	});
	log.info(`open at ${options.host}, port ${options.port}`);
} catch (thrown) {
	const { code, message, exitCode } = asRouseError(thrown);
	log.fatal({ code, err: thrown }, message);
	process.exit(exitCode);
}
