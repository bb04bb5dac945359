"""read-vhdx.py FILE OFFSET LENGTH: that part of a VHDX's disk, to standard output."""
import sys
from pathlib import Path

from dissect.hypervisor.disk.vhdx import VHDX

path, offset, length = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
disk = VHDX(path)
end = min(offset + length, disk.size)
while offset < end:
    # Never over the end of a block: dissect.hypervisor 3.21 reads on there in the file instead of the next block.
    piece = min(end - offset, disk.block_size - offset % disk.block_size)
    disk.seek(offset)
    sys.stdout.buffer.write(disk.read(piece))
    offset += piece
