"""Counts the connects that the kernel refuses for us.

A closed port accepts nothing, so a socket of it counts nothing. A raw socket gets a copy of each TCP segment to
its address before the kernel answers it; a filter in the kernel lets through only a SYN to one port. Needs
CAP_NET_RAW.
"""

import array
import socket
import struct

SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python has no name for it
ENOUGH = 64            # bytes of a segment; what is in it does not matter

# Of linux/filter.h: (code, jump if true, jump if false, operand).
LOAD_IP_HEADER_LENGTH = (0xb1, 0, 0, 0)  # ldx 4 * ([0] & 0xf)
LOAD_NO_HEADER = (0x01, 0, 0, 0)         # ldx #0: a raw socket of IPv6 gives no IP header
SYN, SYN_OR_ACK = 0x02, 0x12


def syn_filter(family, port):
    """ldh [x + 2], the port; ldb [x + 13], the flags."""
    return [LOAD_IP_HEADER_LENGTH if family == socket.AF_INET else LOAD_NO_HEADER,
            (0x48, 0, 0, 2), (0x15, 0, 4, port),
            (0x50, 0, 0, 13), (0x54, 0, 0, SYN_OR_ACK), (0x15, 0, 1, SYN),
            (0x06, 0, 0, ENOUGH), (0x06, 0, 0, 0)]


class Refusals:
    """Readable where a connect to that address has come."""

    def __init__(self, family, address):
        self.socket = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self.socket.setblocking(False)
        lines = [struct.pack("HBBI", *line) for line in syn_filter(family, address[1])]
        program = array.array("B", b"".join(lines))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                               struct.pack("HP", len(lines), program.buffer_info()[0]))
        self._drain()  # of before the filter
        self.socket.bind((address[0], 0))

    def fileno(self):
        return self.socket.fileno()

    def _drain(self):
        count = 0
        while True:
            try:
                self.socket.recv(ENOUGH)
            except BlockingIOError:
                return count
            count += 1

    def take(self):
        """How many have come since it was asked last."""
        return self._drain()

    def close(self):
        self.socket.close()


def watch_refusals(family, address):
    """None where that is not allowed."""
    try:
        return Refusals(family, address)
    except PermissionError:
        return None
