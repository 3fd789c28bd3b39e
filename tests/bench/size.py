#!/usr/bin/python3
"""What the static program is made of: bytes by dependency, of the linker's map.

    size.py         of build/dev/muster.map, which the linker writes beside the program
"""

import collections
import os
import re
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MAP = os.path.join(SOURCE, "build", "dev", "muster.map")

# A section of a file that the linker took: " .text.name   0xaddress   0xsize file". Where the name is long, the rest
# stands on the next line.
PLACED = re.compile(r"^ (\S+)?\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S.*)$")
NOT_IN_THE_FILE = re.compile(r"\.(bss|tbss|debug|comment|note)|COMMON|\*fill")


def placed(lines):
    """(file, bytes) of all that is in the program"""
    started, name = False, ""
    for line in lines:
        started = started or line.startswith("Linker script and memory map")
        alone = re.match(r"^ (\S+)\s*$", line)
        if alone:
            name = alone.group(1)
            continue
        found = PLACED.match(line)
        if started and found:
            section, address, size, file = found.groups()
            # Without an address it was left out.
            if int(address, 16) and not NOT_IN_THE_FILE.match(section or name or "*fill"):
                yield file, int(size, 16)
        name = ""


def part(file):
    """Of a linker's file name: the library, ours as one."""
    library = re.search(r"lib([^/]*)\.a\(", file)
    if library is None:
        return "muster" if "CMakeFiles" in file else "linker, crt"
    name = library.group(1)
    if name.startswith("muster_"):
        return "muster"
    return {"ssl": "OpenSSL", "crypto": "OpenSSL", "c": "C library", "m-2.36": "C library", "stdc++": "libstdc++",
            "gcc": "libstdc++", "gcc_eh": "libstdc++", "curl": "libcurl", "cares": "c-ares", "blkid": "libblkid",
            }.get(name, name)


def main():
    try:
        with open(MAP, encoding="utf-8", errors="replace") as file:
            sizes = collections.Counter()
            for name, size in placed(file):
                sizes[part(name)] += size
    except FileNotFoundError:
        sys.exit(f"size: {MAP} is not there: ./dev build")
    total = os.path.getsize(os.path.join(os.path.dirname(MAP), "muster"))
    print("What the program is made of (templates of headers count where they are used)     MB")
    for name, size in sizes.most_common():
        print(f"   {name:76} {size / 1e6:5.2f}")
    rest = total - sum(sizes.values())
    print(f"   {'headers, padding' :76} {rest / 1e6:5.2f}")
    print(f"   {'all of it':76} {total / 1e6:5.2f}   target 5{'' if total < 5e6 else ', missed'}")


if __name__ == "__main__":
    main()
