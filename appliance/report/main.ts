/** `rouse-report.service`: a line on the console that whoever made this appliance waits for. */
import { setPrivateUmask } from '../../system/private-umask.ts';
import { gather } from './gather.ts';
import { reportMark } from './report.ts';

setPrivateUmask();
console.log(`${reportMark}${JSON.stringify(await gather())}`);
