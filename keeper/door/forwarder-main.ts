/** The forwarder's process: `node keeper/door/forwarder-main.ts OPTIONS`, with its options as JSON. Kept by the keeper. */
import { asRouseError } from '../../model/errors.ts';
import { createLog } from '../../system/log.ts';
import { forward, forwarderOptionsSchema } from './forwarder.ts';

process.umask(0o077);
const log = createLog('temporal-forwarder');
try {
	await forward(forwarderOptionsSchema.parse(JSON.parse(process.argv[2] ?? '')));
	log.info('its server has ended, or a socket has lost its name');
	process.exit(0); // open connections would keep it alive
} catch (thrown) {
	const { code, message, exitCode } = asRouseError(thrown);
	log.fatal({ code, err: thrown }, message);
	process.exit(exitCode);
}
