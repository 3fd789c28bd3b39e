"""Where a scenario inside a kernel asks this machine for what only the outside can do, and a thing that it asks."""

import contextlib
import hashlib
import json
import os
import socket
import threading


class Door:
    """Where the scenario asks this machine for what only the outside can do: a line is a request, and so is its
    answer. `requests`: its first word to the function that is given the others."""

    def __init__(self, requests):
        self.requests = requests
        self.ours, self.theirs = socket.socketpair()
        # Its own thread: a request is served at once, and on time.
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self, seconds):
        """Waits so long for a request that is under way."""
        with contextlib.suppress(OSError):
            self.ours.shutdown(socket.SHUT_RDWR)
        self.thread.join(seconds)
        self.ours.close()
        self.theirs.close()

    def _serve(self):
        rest = b""
        with contextlib.suppress(OSError):
            while piece := self.ours.recv(4096):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    self.ours.sendall(self._answer(line.decode("utf-8", "replace").split()).encode() + b"\n")

    def _answer(self, words):
        try:
            return self.requests[words[0]](*words[1:])
        except Exception as error:  # the scenario is told, whatever it is, and the door stays open
            return json.dumps({"error": repr(error)})


def hash_content(path):
    """A hash of every byte of a disk's file. A block of zeros counts by where it is not, so that a hole costs
    nothing."""
    digest, block, end = hashlib.sha256(), 1 << 16, os.path.getsize(path)
    with open(path, "rb") as file:
        at = 0
        while at < end:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA) // block * block
            except OSError:  # there is none any more
                break
            content = os.pread(file.fileno(), block, at)
            if content.strip(b"\0"):
                digest.update(b"%d %d " % (at, len(content)) + content)
            at += block
    digest.update(b"%d" % end)
    return digest.hexdigest()
