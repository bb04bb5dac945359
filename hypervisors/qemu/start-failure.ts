import { RouseError } from '../../model/errors.ts';
import type { Acceleration } from './acceleration.ts';

/** What QEMU says when it ends by itself, by the lines that tell, and what that means for a person. */
const causes: readonly { said: RegExp; means: string; hint: string }[] = [
	{
		said: /Failed to get (?:shared )?"[\w ]+" lock/,
		means: 'another program has a disk of the machine open',
		hint: 'see who has it open (fuser), end that, and try again',
	},
	{
		said: /Cannot lock pid file|cannot create PID file/i,
		means: 'another QEMU of this machine runs already',
		hint: 'end that one, and try again',
	},
	{
		// net/slirp.c, slirp_hostfwd
		said: /Could not set up host forwarding rule/,
		means: 'a port of the host that is to lead to the guest is taken, or not for the user of the machine',
		hint: 'end what listens there, or choose a port from 1024 up, and try again',
	},
	{
		// macvtap-devices.ts
		said: /is not the device of rouse/,
		means: "the device of the machine's macvtap is not in /dev",
		hint: 'a system whose /dev is no devtmpfs needs a udev that makes it: put the machine on a bridge there',
	},
	{
		// systemd-run(1), of system/own-scope.ts, in whose place QEMU would have come
		said: /Failed to (?:start transient scope unit|connect to (?:system |system scope )?bus|get D-Bus connection)/,
		means: 'systemd has made no scope for it, and QEMU was not begun',
		hint: 'see whether systemd answers (systemctl is-system-running), and try again',
	},
	{
		said: /Cannot allocate memory/,
		means: 'the host has not enough free memory for the machine',
		hint: 'stop another machine, and try again',
	},
];

/** What only KVM is the reason of: messages of accel/kvm/kvm-all.c and target/i386/kvm/. A path may well say "kvm", too. */
const kvmInTheWay =
	/ set MSR 0x|\bkvm\.c:\d|\bkvm_\w+: |\bKVM_[A-Z]|KVM kernel module|initialize kvm|supported by (?:the )?kernel|KVM internal error/;

/**
 * QEMU ended while it started a machine. `details.accelerator` is what ran it, and `details.refused` is true when that was
 * the reason: another accelerator may run the machine.
 */
export function startFailure(said: string, accelerator: Acceleration['accelerator'], cause: unknown): RouseError {
	const known = causes.find(each => each.said.test(said));
	const refused = known === undefined && accelerator === 'kvm' && kvmInTheWay.test(said);
	const { means, hint } = known ?? (refused ? kvmRefused : unknown);
	const quoted = said === '' ? 'QEMU said nothing' : `QEMU said: ${said}`;
	return new RouseError('machine_failed', `the machine could not be started: ${means}. ${quoted}`, {
		hint,
		cause,
		details: { accelerator, refused },
	});
}

const kvmRefused = {
	means: "QEMU gave up, since this host's KVM does not do what the machine needs",
	hint: 'run it emulated, which is slower: accelerator: tcg under host: in config.yaml',
};

const unknown = {
	means: 'QEMU ended by itself',
	hint: 'mend what it says, then try again',
};

/** The first line that is no mere warning, without the program's name. */
export function tellingLine(said: string): string | undefined {
	const line = said.split('\n').find(text => text.trim() !== '' && !/^\S+: warning: /.test(text));
	return line?.replace(/^\S*qemu\S*: (?:error: )?/, '').trim();
}
