/** `rouse-report.service`: a line on the console that whoever made this appliance waits for. */
import { gather } from './gather.ts';
import { reportMark } from './report.ts';

console.log(`${reportMark}${JSON.stringify(await gather())}`);
