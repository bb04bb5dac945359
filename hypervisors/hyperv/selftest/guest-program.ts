/**
 * What runs in the throw-away machine: a program of one sector, which needs no operating system. At each boot it counts one in
 * a sector of its disk; then, some times a second, it counts a round there and reads another sector. So the disk tells in the
 * end how often the guest was started, that its writes are there, and how many of its requests failed; and whoever serves the
 * disk sees that it goes on by its reads.
 */
import { bootSectorOf } from '../../boot-listing.ts';

const sectorBytes = 512;
/** The counters': after all that a partition table and its copies would take, and within the first track. */
const countersAt = 8 * sectorBytes;
const readsAt = 16 * sectorBytes;
const readSectors = 32;
const mark = 'ROUS';

/**
 * Calls of INT 13h: AH 2 reads, 3 writes, by cylinder, head and sector, which counts from 1; carry says that it failed.
 * BIOS Enhanced Disk Drive Specification 3.0, 2.1, and Ralf Brown's Interrupt List. Bytes: AMD64 Architecture Programmer's
 * Manual, volume 3. A timer interrupt, 18.2 a second, ends a `hlt`.
 */
const listing = `
        fa                      ; cli
        31 c0                   ; xor ax, ax
        8e d8                   ; mov ds, ax
        8e c0                   ; mov es, ax
        8e d0                   ; mov ss, ax
        bc 00 7c                ; mov sp, 7c00h
        fb                      ; sti
        fc                      ; cld
        88 16 00 70             ; mov [7000h], dl           the drive, as the BIOS calls it
        bb 00 80                ; mov bx, 8000h             counters:
        b8 01 02                ; mov ax, 0201h             read one sector,
        b9 09 00                ; mov cx, 0009h             cylinder 0, sector 9
        30 f6                   ; xor dh, dh                head 0
        8a 16 00 70             ; mov dl, [7000h]
        cd 13                   ; int 13h
        72 ed                   ; jc counters               it fails: again
        66 ff 06 04 80          ; inc dword [8004h]         a boot
        66 ff 06 08 80          ; inc dword [8008h]         round:
        b8 01 03                ; mov ax, 0301h             write one sector
        b9 09 00                ; mov cx, 0009h
        bb 00 80                ; mov bx, 8000h
        30 f6                   ; xor dh, dh
        8a 16 00 70             ; mov dl, [7000h]
        cd 13                   ; int 13h
        73 05                   ; jnc read
        66 ff 06 0c 80          ; inc dword [800ch]         a failure
        b8 01 02                ; mov ax, 0201h             read:
        8a 0e 08 80             ; mov cl, [8008h]
        80 e1 1f                ; and cl, 31
        80 c1 11                ; add cl, 17
        b5 00                   ; mov ch, 0
        bb 00 90                ; mov bx, 9000h
        30 f6                   ; xor dh, dh
        8a 16 00 70             ; mov dl, [7000h]
        cd 13                   ; int 13h
        73 05                   ; jnc wait
        66 ff 06 0c 80          ; inc dword [800ch]
        fb                      ; sti                       wait:
        f4                      ; hlt
        f4                      ; hlt
        eb bd                   ; jmp round
`;

/** What the guest counts. */
export interface Counters {
	boots: number;
	rounds: number;
	failures: number;
}

/** Lays the program and its counters over the first sectors of a disk. */
export function putProgram(disk: Buffer): void {
	bootSectorOf(listing).copy(disk);
	disk.fill(0, countersAt, countersAt + sectorBytes);
	disk.write(mark, countersAt, 'latin1');
}

/** Undefined where there are none. */
export function countersOf(disk: Uint8Array): Counters | undefined {
	const sector = Buffer.from(disk.subarray(countersAt, countersAt + sectorBytes));
	if (sector.toString('latin1', 0, mark.length) !== mark) return undefined;
	return { boots: sector.readUInt32LE(4), rounds: sector.readUInt32LE(8), failures: sector.readUInt32LE(12) };
}

/** The one place of the disk that the guest writes. */
export const written = { offsetBytes: countersAt, sizeBytes: sectorBytes } as const;

/** Where it reads, a sector a round. */
export const read = { offsetBytes: readsAt, sizeBytes: readSectors * sectorBytes } as const;
