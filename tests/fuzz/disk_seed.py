#!/usr/bin/python3
"""An image of a disk as disk_fuzz.cpp reads it: disk_seed.py IMAGE [BYTES] >SEED

Only the parts that are not zero, of the first BYTES: 64 to 256 KiB. What lies at a disk's end wants an
image that is so short itself.
"""

import struct
import sys

SECTOR = 512
PIECE = 0xFE00  # whole sectors


def pieces(data):
    """(offset, bytes) of what is not zero."""
    sectors = [data[at : at + SECTOR] for at in range(0, len(data), SECTOR)]
    first = None
    for number, sector in enumerate(sectors + [b""]):
        full = any(sector)
        if full and first is None:
            first = number
        if first is not None and (not full or (number - first) * SECTOR >= PIECE):
            found = b"".join(sectors[first:number])
            found = found if full else found.rstrip(b"\0")
            yield struct.pack("<HH", first, len(found)) + found
            first = number if full else None


def main(path, size="196608"):
    unit = 64 << 10
    with open(path, "rb") as file:
        data = file.read(int(size)).ljust(int(size), b"\0")
    seed = bytes([len(data) // unit - 1]) + b"".join(pieces(data))
    sys.stdout.buffer.write(seed)


if __name__ == "__main__":
    main(*sys.argv[1:])
