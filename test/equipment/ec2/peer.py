"""EC2 by moto, and in it the EBS direct APIs as AWS documents them: `peer.py DIRECTORY PORT`.

A volume is the file DIRECTORY/vol-….raw; where there is none it is empty. A snapshot is what that file was when it was made. moto
alone would prove wrong increments right: it knows no contents, does not list blocks that are new, and takes any token.

Read from the environment:
PEER_TOKEN_SECONDS  for how long tokens of blocks and pages are taken (AWS: 7 days and an hour)
PEER_THROTTLED      the share of calls of the EBS direct APIs that are refused as too many
PEER_CUT            the share of blocks whose body ends in the middle
PEER_STILL          the share of blocks whose body stands still in the middle
PEER_FLIPPED        the share of blocks of which one bit is another

Each block that was answered is a line `snap-… NUMBER` in DIRECTORY/blocks-read, whatever became of the answer.

What it is not like: who asks may do everything, snapshots are completed at once, there are no archived or locked ones, no keys, no
boot mode and no instance store; each connection has one request. The order in which AWS looks at the mistakes of one request is
not known.
"""

import base64
import hashlib
import itertools
import json
import os
import re
import sys
import time

# Thousands of images have as many snapshots, and each look goes through all of them.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

from moto.core.exceptions import JsonRESTError
from moto.ebs import responses
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, run_simple

DIRECTORY, PORT = sys.argv[1], int(sys.argv[2])
BLOCKS_READ = os.open(os.path.join(DIRECTORY, "blocks-read"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
BLOCK = 512 * 1024
ZEROS = bytes(BLOCK)
TOKEN_SECONDS = float(os.environ.get("PEER_TOKEN_SECONDS", 7 * 24 * 3600))


class Share:
    """So many of all, by multiples of the golden ratio: spread evenly, and the same each time."""

    def __init__(self, name):
        self.share = float(os.environ.get(name, 0))
        self.numbers = itertools.count(1)

    def hits(self):
        return next(self.numbers) * 0.6180339887498949 % 1 < self.share


THROTTLED, CUT, STILL, FLIPPED = map(Share, ("PEER_THROTTLED", "PEER_CUT", "PEER_STILL", "PEER_FLIPPED"))

# By their ids: blocks by their numbers. Blocks that are the same are there once.
CONTENTS = {}
KNOWN = {}


class Refused(JsonRESTError):
    """As AWS has it: a name, and beside it a reason."""

    def __init__(self, status, name, reason, message):
        super().__init__(name, message)
        self.code = status
        self.description = json.dumps({"__type": name, "Message": message, "Reason": reason})


def read_blocks(path):
    blocks = {}
    if not os.path.exists(path):
        return blocks
    with open(path, "rb") as file:
        number = 0
        while piece := file.read(BLOCK):
            piece = piece.ljust(BLOCK, b"\0")
            if piece != ZEROS:
                digest = hashlib.sha256(piece).digest()
                blocks[number] = (KNOWN.setdefault(digest, piece), digest)
            number += 1
    return blocks


moto_create_snapshot = EBSBackend.create_snapshot


def create_snapshot(self, volume_id, *args, **kwargs):
    snapshot = moto_create_snapshot(self, volume_id, *args, **kwargs)
    CONTENTS[snapshot.id] = read_blocks(os.path.join(DIRECTORY, f"{volume_id}.raw"))
    return snapshot


EBSBackend.create_snapshot = create_snapshot


def snapshot_of(response, snapshot_id):
    """moto's, of which the volume and its size are known; gone when EC2 has deleted it."""
    snapshot = ec2_backends[response.current_account][response.region].snapshots.get(snapshot_id)
    if snapshot is None or snapshot_id not in CONTENTS:
        raise Refused(404, "ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", f"The snapshot '{snapshot_id}' does not exist.")
    return snapshot


def throttle():
    if THROTTLED.hits():
        raise Refused(400, "RequestThrottledException", "ACCOUNT_THROTTLED", "Request throttled.")


def token(*words):
    return base64.b64encode("/".join([*map(str, words), str(time.time())]).encode()).decode()


def must_be_token(text, words, reason):
    """What it says beside the words, when it is one of them and not too old."""
    try:
        *said, made = base64.b64decode(text or "").decode().split("/")
        good = said[: len(words)] == [str(word) for word in words] and time.time() - float(made) < TOKEN_SECONDS
    except ValueError:
        good = False
    if not good:
        raise Refused(400, "ValidationException", reason, "The token is invalid or has expired.")
    return said[len(words) :]


def page(response, of, numbers):
    """Those that are on it, and the token of the next one. A page that a token did not ask for is empty, as one of AWS may be."""
    most = int(response._get_param("MaxResults") or 10000)
    if not 100 <= most <= 10000:
        raise Refused(400, "ValidationException", "INVALID_PARAMETER_VALUE", "MaxResults must be 100 to 10000.")
    given = response._get_param("NextToken")
    if not given:
        return [], token("page", of, int(response._get_param("StartingBlockIndex") or 0))
    start = int(must_be_token(given, ("page", of), "INVALID_PAGE_TOKEN")[0])
    rest = [number for number in numbers if number >= start]
    return rest[:most], token("page", of, rest[most]) if len(rest) > most else None


def listing(snapshot, name, blocks, next_token):
    return responses.ActionResult(
        {
            name: blocks,
            "NextToken": next_token,
            "VolumeSize": snapshot.volume.size,
            "BlockSize": BLOCK,
            "ExpiryTime": time.time() + TOKEN_SECONDS,
        }
    )


def list_snapshot_blocks(self):
    throttle()
    snapshot_id = self._get_param("SnapshotId")
    snapshot = snapshot_of(self, snapshot_id)
    numbers, following = page(self, snapshot_id, sorted(CONTENTS[snapshot_id]))
    blocks = [{"BlockIndex": number, "BlockToken": token(snapshot_id, number)} for number in numbers]
    return listing(snapshot, "Blocks", blocks, following)


def list_changed_blocks(self):
    throttle()
    first, second = self._get_param("FirstSnapshotId"), self._get_param("SecondSnapshotId")
    before, now = snapshot_of(self, first), snapshot_of(self, second)
    if before.volume.id != now.volume.id:
        raise Refused(400, "ValidationException", "UNRELATED_SNAPSHOTS", "The snapshots are not of one volume.")
    old, new = CONTENTS[first], CONTENTS[second]
    differing = sorted(number for number in old.keys() | new.keys() if old.get(number) != new.get(number))
    numbers, following = page(self, f"{first}+{second}", differing)
    blocks = []
    for number in numbers:
        block = {"BlockIndex": number}
        if number in old:
            block["FirstBlockToken"] = token(first, number)
        if number in new:
            block["SecondBlockToken"] = token(second, number)
        blocks.append(block)
    return listing(now, "ChangedBlocks", blocks, following)


def get_snapshot_block(self):
    throttle()
    snapshot_id, number = self._get_param("SnapshotId"), int(self._get_param("BlockIndex"))
    snapshot_of(self, snapshot_id)
    must_be_token(self._get_param("BlockToken"), (snapshot_id, number), "INVALID_BLOCK_TOKEN")
    if number not in CONTENTS[snapshot_id]:
        raise Refused(400, "ValidationException", "INVALID_BLOCK", "The snapshot has no such block.")
    piece, digest = CONTENTS[snapshot_id][number]
    os.write(BLOCKS_READ, f"{snapshot_id} {number}\n".encode())
    if FLIPPED.hits():
        piece = bytes([piece[0] ^ 1]) + piece[1:]
    return responses.ActionResult(
        {
            "DataLength": BLOCK,
            "BlockData": piece,
            "Checksum": base64.b64encode(digest).decode(),
            "ChecksumAlgorithm": "SHA256",
        }
    )


responses.EBSResponse.list_snapshot_blocks = list_snapshot_blocks
responses.EBSResponse.list_changed_blocks = list_changed_blocks
responses.EBSResponse.get_snapshot_block = get_snapshot_block


class Cut(Exception):
    """Ends an answer whose length was told already: the connection is closed."""


class Spoilt:
    """The application, some of whose bodies come to no end."""

    block = re.compile(r"^/snapshots/snap-[0-9a-f]+/blocks/\d+$")

    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        body = self.application(environ, start_response)
        if not self.block.match(environ.get("PATH_INFO", "")):
            return body
        is_cut, is_still = CUT.hits(), STILL.hits()
        return self.half(b"".join(body), is_cut) if is_cut or is_still else body

    @staticmethod
    def half(whole, is_cut):
        yield whole[: len(whole) // 2]
        if not is_cut:
            time.sleep(3600)
        raise Cut()


class Quiet(WSGIRequestHandler):
    def log_request(self, *args):
        pass


run_simple(
    "127.0.0.1",
    PORT,
    Spoilt(DomainDispatcherApplication(create_backend_app)),
    threaded=True,
    request_handler=Quiet,
)
