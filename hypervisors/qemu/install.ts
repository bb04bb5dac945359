/** What brings QEMU to a host, as Debian calls it. */
export const installQemu = 'apt-get install qemu-system-x86 qemu-utils ovmf';
