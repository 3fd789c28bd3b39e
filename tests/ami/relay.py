"""Joins a connection that the guest makes to a port of this machine. QEMU starts one for each ("guestfwd"),
with the connection as standard input and output.

The guest's network is closed but for these: it reaches nothing else.
"""

import select
import socket
import sys

IDLE = 600  # seconds without a byte: nobody lives on by mistake


def pump(source, target):
    """One piece from here to there. False at the end of what the source says."""
    piece = source.recv(65536)
    if piece:
        target.sendall(piece)
        return True
    target.shutdown(socket.SHUT_WR)
    return False


def main(port):
    guest = socket.socket(fileno=0)
    service = socket.create_connection(("127.0.0.1", port), timeout=IDLE)
    other = {guest: service, service: guest}
    speaking = [guest, service]
    while speaking:
        ready, _, _ = select.select(speaking, [], [], IDLE)
        if not ready:
            return
        speaking = [one for one in speaking if one not in ready or pump(one, other[one])]


try:
    main(int(sys.argv[1]))
except OSError:
    pass  # one of them is gone, and with us the other's connection
