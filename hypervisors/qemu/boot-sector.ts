/**
 * The program of the BIOS probe: what every operating system does first. It goes from 16 bits over protected mode to long
 * mode with paging, uses the FPU and SSE, takes two timer interrupts, and says so. A KVM that cannot run guests (nested
 * virtualisation that is not complete) ends on the way, at an instruction that it has to emulate.
 */
import { bootSectorOf } from '../boot-listing.ts';

/** What the program writes to the exit device at {@link exitPort}. QEMU ends with (value << 1) | 1: hw/misc/debugexit.c. */
export const guestCode = 0x2a;
export const exitPort = 0xf4;

/**
 * Bytes and the instruction they are: AMD64 Architecture Programmer's Manual, volumes 2 and 3. `name:` is an address,
 * `<name>` its lower two bytes, and what follows `;` is for people. Page tables and IDT are made at 1000h to 4fffh.
 */
const listing = `
                fa                             ; cli
                31 c0                          ; xor ax, ax
                8e d8                          ; mov ds, ax
                8e d0                          ; mov ss, ax
                bc 00 7c                       ; mov sp, 7c00h
                0f 01 16 <gdtr>                ; lgdt [gdtr]
                0f 20 c0                       ; mov eax, cr0
                0c 01                          ; or al, 1              protection (PE)
                0f 22 c0                       ; mov cr0, eax
                ea <protected> 08 00           ; jmp 08h:protected

protected:      b8 10 00 00 00                 ; mov eax, 10h
                8e d8                          ; mov ds, eax
                8e c0                          ; mov es, eax
                8e d0                          ; mov ss, eax
                bc 00 7c 00 00                 ; mov esp, 7c00h
                fc                             ; cld
                31 c0                          ; xor eax, eax
                bf 00 10 00 00                 ; mov edi, 1000h
                b9 00 10 00 00                 ; mov ecx, 1000h
                f3 ab                          ; rep stosd             zeroes 1000h to 4fffh
                c7 05 00 10 00 00 03 20 00 00  ; mov dword [1000h], 2003h    level 4: present, writable
                c7 05 00 20 00 00 03 30 00 00  ; mov dword [2000h], 3003h    level 3
                c7 05 00 30 00 00 83 00 00 00  ; mov dword [3000h], 83h      level 2: the first 2 MiB, as they are
                0f 20 e0                       ; mov eax, cr4
                0d 20 06 00 00                 ; or eax, 620h          PAE, OSFXSR, OSXMMEXCPT
                0f 22 e0                       ; mov cr4, eax
                b8 00 10 00 00                 ; mov eax, 1000h
                0f 22 d8                       ; mov cr3, eax
                b9 80 00 00 c0                 ; mov ecx, c0000080h    EFER
                0f 32                          ; rdmsr
                80 cc 01                       ; or ah, 1              long mode (LME)
                0f 30                          ; wrmsr
                0f 20 c0                       ; mov eax, cr0
                24 fb                          ; and al, fbh           an FPU is there (EM off)
                0d 02 00 00 80                 ; or eax, 80000002h     paging (PG), MP
                0f 22 c0                       ; mov cr0, eax
                ea <long> 00 00 18 00          ; jmp 18h:long

long:           db e3                          ; fninit
                66 0f ef c0                    ; pxor xmm0, xmm0
                0f 11 04 25 00 50 00 00        ; movups [5000h], xmm0
                c7 04 25 00 42 00 00 <tick> 18 00  ; mov dword [4200h], 18h:tick     gate of interrupt 20h
                c7 04 25 04 42 00 00 00 8e 00 00   ; mov dword [4204h], 8e00h        present, interrupt gate
                0f 01 1c 25 <idtr> 00 00       ; lidt [idtr]
                b0 11                          ; mov al, 11h           both interrupt controllers (8259A) start anew,
                e6 20                          ; out 20h, al
                e6 a0                          ; out a0h, al
                b0 20                          ; mov al, 20h           their interrupts at 20h
                e6 21                          ; out 21h, al
                b0 28                          ; mov al, 28h           and 28h,
                e6 a1                          ; out a1h, al
                b0 04                          ; mov al, 4             the second behind line 2
                e6 21                          ; out 21h, al
                b0 02                          ; mov al, 2             of the first,
                e6 a1                          ; out a1h, al
                b0 01                          ; mov al, 1             in 8086 mode,
                e6 21                          ; out 21h, al
                e6 a1                          ; out a1h, al
                b0 ff                          ; mov al, ffh           with every line off
                e6 a1                          ; out a1h, al
                b0 fe                          ; mov al, feh           but the timer's
                e6 21                          ; out 21h, al
                b0 34                          ; mov al, 34h           timer (8254): channel 0, mode 2,
                e6 43                          ; out 43h, al
                b0 a9                          ; mov al, a9h           1193182 Hz / 4a9h: every millisecond
                e6 40                          ; out 40h, al
                b0 04                          ; mov al, 04h
                e6 40                          ; out 40h, al
                31 db                          ; xor ebx, ebx
                fb                             ; sti
wait:           f4                             ; hlt
                80 fb 02                       ; cmp bl, 2
                72 fa                          ; jb wait
                b0 2a                          ; mov al, guestCode
                e6 f4                          ; out exitPort, al
stop:           f4                             ; hlt
                eb fd                          ; jmp stop

tick:           ff c3                          ; inc ebx
                b0 20                          ; mov al, 20h           end of interrupt
                e6 20                          ; out 20h, al
                48 cf                          ; iretq

gdt:            00 00 00 00 00 00 00 00        ;      nothing
                ff ff 00 00 00 9a cf 00        ; 08h: code of 32 bits, 4 GiB
                ff ff 00 00 00 92 cf 00        ; 10h: data
                ff ff 00 00 00 9a af 00        ; 18h: code of 64 bits
gdtr:           1f 00 <gdt> 00 00              ; its last byte, its address
idtr:           0f 02 00 40 00 00 00 00 00 00  ; up to 20fh: 21h gates at 4000h
`;

/** The whole sector, ready to be the first of a disk. */
export const bootSector = () => bootSectorOf(listing);
