# Reads devices for the import on the other end of the connection (agent/protocol.ts). It is never written to a file here: it
# comes on standard input, reads alone, and ends when that does, or when nobody has asked for anything in two minutes.
# Python 3.4 is enough, and of its library what Debian's python3-minimal has: no mmap, and no ctypes.
import errno
import hashlib
import os
import signal
import struct

HEADER = struct.Struct('>BIHQIII')
OPEN, READ, DIGESTS, CLOSE, PING = 1, 2, 3, 4, 5
DATA, ZEROS, FAILED = 0, 1, 2
MOST = 4 * 2 ** 20
IDLE_SECONDS = 120
BUSY_SECONDS = 600
# What direct reads begin and end at; no device has larger sectors.
ALIGNED = 4096

room = bytearray(MOST + 3 * ALIGNED)
view = memoryview(room)
# Where in the room direct reads may go: also what they are read into must begin as sectors do.
base = 0
devices = {}
zeros = bytes(2 ** 20)


def take(length):
    taken = b''
    while len(taken) < length:
        piece = os.read(0, length - len(taken))
        if not piece:
            os._exit(0)
        taken += piece
    return taken


def put(piece):
    left = memoryview(piece)
    while len(left) > 0:
        left = left[os.write(1, left):]


def answer(number, status, body=b''):
    put(struct.pack('>IBI', number, status, len(body)))
    put(body)


def opened(path):
    # Past the cache of this system, which may have other bytes than the disk where something is mounted.
    flags = os.O_RDONLY | os.O_CLOEXEC
    try:
        device = os.open(path, flags | os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.open(path, flags)
    try:
        if takes(device):
            return device
    except OSError:
        os.close(device)
        raise
    os.close(device)
    return os.open(path, flags)


# Whether direct reads are possible at all. What is good for a device that wants more is good for the ones before it.
def takes(device):
    global base
    for place in [base] + list(range(0, ALIGNED, 16)):
        try:
            os.readv(device, [view[place:place + ALIGNED]])
            base = place
            return True
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
    return False


# Where in the room the bytes are.
def fill(device, offset, length):
    skipped = offset % ALIGNED
    want = skipped + length
    end = -(-want // ALIGNED) * ALIGNED
    got = 0
    while got < want:
        os.lseek(device, offset - skipped + got, os.SEEK_SET)
        count = os.readv(device, [view[base + got:base + end]])
        if count == 0:
            raise OSError(errno.ENODATA, 'the device ends at %d' % (offset - skipped + got))
        got += count
    return base + skipped


def digests(begin, length, first, unit):
    found = b''
    at, end = 0, min(first, length)
    while at < length:
        found += hashlib.sha256(view[begin + at:begin + end]).digest()
        at, end = end, min(end + unit, length)
    return found


def serve(op, number, handle, offset, length, first, unit):
    if op == OPEN:
        devices[handle] = opened(take(length))
        answer(number, DATA, struct.pack('>Q', os.lseek(devices[handle], 0, os.SEEK_END)))
    elif op == READ:
        begin = fill(devices[handle], offset, length)
        body = room[begin:begin + length]
        if length <= len(zeros) and body == zeros[:length]:
            answer(number, ZEROS)
        else:
            answer(number, DATA, body)
    elif op == DIGESTS:
        answer(number, DATA, digests(fill(devices[handle], offset, length), length, first, unit))
    elif op == CLOSE:
        os.close(devices.pop(handle))
        answer(number, DATA)
    else:
        answer(number, DATA)


def main():
    os.nice(5)
    put(b'rouse-agent 1\n')
    while True:
        signal.alarm(IDLE_SECONDS)
        request = HEADER.unpack(take(HEADER.size))
        signal.alarm(BUSY_SECONDS)
        if request[0] in (READ, DIGESTS) and not (0 < request[4] <= MOST and (request[0] == READ or request[6] > 0)):
            os._exit(4)
        try:
            serve(*request)
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.ECONNRESET):
                os._exit(0)
            answer(request[1], FAILED, struct.pack('>i', error.errno or 0) + str(error).encode('utf-8', 'replace')[:400])


main()
