import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashOf, powerOf } from '../../hypervisors/qemu/run-state.ts';
import { startFailure, tellingLine } from '../../hypervisors/qemu/start-failure.ts';

const warning = "qemu-system-x86_64: warning: host doesn't support requested feature: CPUID.01H:ECX.pni [bit 0]";
const refusedMsr = [
	'qemu-system-x86_64: error: failed to set MSR 0x40000021 to 0x0',
	"qemu-system-x86_64: ../../target/i386/kvm/kvm.c:3183: kvm_buf_set_msrs: Assertion `ret == nmsrs' failed.",
].join('\n');

test('an assertion of QEMU against KVM is told in words first, and offers emulation', () => {
	const error = startFailure(refusedMsr, 'kvm', undefined);
	assert.equal(error.code, 'machine_failed');
	assert.match(error.message, /^the machine could not be started: .*this host's KVM .*\. QEMU said: .*MSR 0x40000021/);
	assert.match(error.hint ?? '', /accelerator: tcg/);
	assert.deepEqual(error.details, { accelerator: 'kvm', refused: true });
});

test('every way in which KVM is in the way is told from the rest', () => {
	for (const said of [
		'Could not access KVM kernel module: Permission denied\nqemu: failed to initialize kvm: Permission denied',
		'ioctl(KVM_CREATE_VM) failed: 16 Device or resource busy',
		'qemu-system-x86_64: Hyper-V clocksources (hv-time) are not supported by kernel',
		'kvm_init_vcpu: kvm_get_vcpu failed (0): Invalid argument',
	])
		assert.deepEqual(startFailure(said, 'kvm', undefined).details, { accelerator: 'kvm', refused: true }, said);
});

test('what is no fault of KVM does not blame it', () => {
	const locked =
		'qemu-system-x86_64: -device x: Failed to get "write" lock\nIs another process using the image [d.raw]?';
	const error = startFailure(locked, 'kvm', undefined);
	assert.match(error.message, /another program has a disk of the machine open/);
	assert.deepEqual(error.details, { accelerator: 'kvm', refused: false });
	const named = 'qemu-system-x86_64: -chardev socket,path=/run/kvm-1/console.sock: Address already in use';
	assert.deepEqual(startFailure(named, 'kvm', undefined).details, { accelerator: 'kvm', refused: false });
	const device = startFailure('/dev/tap7 is not the device of rouse0b9c3f520', 'kvm', undefined);
	assert.match(device.message, /the device of the machine's macvtap is not in \/dev/);
	const memory = startFailure("qemu: cannot set up guest memory 'pc.ram': Cannot allocate memory", 'tcg', undefined);
	assert.match(memory.message, /not enough free memory/);
	const scope = startFailure('Failed to start transient scope unit: Connection reset by peer', 'kvm', undefined);
	assert.match(scope.message, /systemd has made no scope/);
	assert.deepEqual(scope.details, { accelerator: 'kvm', refused: false });
	assert.deepEqual(startFailure(refusedMsr, 'tcg', undefined).details, { accelerator: 'tcg', refused: false });
	assert.match(startFailure('', 'tcg', undefined).message, /QEMU said nothing/);
});

test('`tellingLine` passes warnings over, and the name of the program', () => {
	assert.equal(tellingLine(`\n${warning}\n${refusedMsr}`), 'failed to set MSR 0x40000021 to 0x0');
	assert.equal(
		tellingLine(`${warning}\nKVM internal error. Suberror: 1\nextra data`),
		'KVM internal error. Suberror: 1',
	);
	assert.equal(tellingLine(warning), undefined);
});

test('`crashOf` tells states that only a reset leads out of from a pause', () => {
	assert.match(crashOf('internal-error') ?? '', /internal-error/);
	assert.match(crashOf('guest-panicked') ?? '', /operating system/);
	for (const status of ['running', 'paused', 'io-error', 'prelaunch', 'shutdown', 'suspended'])
		assert.equal(crashOf(status), undefined, status);
	assert.equal(powerOf('internal-error'), 'crashed');
});
