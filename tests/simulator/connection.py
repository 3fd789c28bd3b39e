"""One connection: requests read, answers sent, as badly as an answer's wire says.

Keep-alive works, so that a client's reuse of a connection is tested too.
"""

import select
import socket
import struct
import time

from answer import REASONS, error_answer, http_date

MAX_HEAD = 64 * 1024
MAX_BODY = 16 * 1024 * 1024
IDLE_LIMIT = 600.0
CHUNK = 64 * 1024


class Request:
    """One request as it came; headers in order, names as sent."""

    def __init__(self, method, target, version, headers, peer):
        self.method = method
        self.target = target
        self.path = target.partition("?")[0]
        if len(self.path) > 1:
            self.path = self.path.rstrip("/") or "/"
        self.is_folder = target.partition("?")[0].endswith("/")
        self.short_path = self.path.lstrip("/")
        self.version = version
        self.headers = headers
        self.body = b""
        self.peer = peer

    def header(self, name):
        """The first header of that name, or None."""
        name = name.lower()
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def wants_close(self):
        said = (self.header("Connection") or "").lower()
        return said == "close" or (self.version == "HTTP/1.0" and said != "keep-alive")


class Hangup(Exception):
    """The connection is over; nothing more is to be sent on it."""


class Connection:
    """One accepted connection, until either side has had enough."""

    def __init__(self, service, accepted, peer):
        self.service = service
        self.socket = accepted
        self.peer = peer
        self.buffer = b""

    def end(self):
        """Called from outside: wakes whoever is blocked on this socket."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def run(self):
        try:
            self.socket.settimeout(IDLE_LIMIT)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.service.tls:
                self.socket = self.service.tls.wrap_socket(self.socket, server_side=True)
            while self._one():
                pass
        except (Hangup, OSError):
            pass
        finally:
            self.service.forget(self)
            self.socket.close()

    def _one(self):
        """Serves one request; True if the connection goes on."""
        try:
            request = self._read()
        except ValueError:
            self._send(error_answer(400), head_only=False, keep=False)
            return False
        if request is None:
            return False
        answer = self.service.answer(request)
        keep = answer.wire.get("keep_alive", True) and not request.wants_close
        self._send(answer, request.method == "HEAD", keep)
        return keep and not answer.wire.get("hang_up")

    # -- reading --------------------------------------------------------------

    def _more(self):
        data = self.socket.recv(CHUNK)
        if not data:
            raise Hangup
        self.buffer += data

    def _until(self, mark, limit):
        while mark not in self.buffer:
            if len(self.buffer) > limit:
                raise ValueError("too long")
            self._more()
        part, _, self.buffer = self.buffer.partition(mark)
        return part

    def _exactly(self, size):
        if not 0 <= size <= MAX_BODY:
            raise ValueError("size")
        while len(self.buffer) < size:
            self._more()
        part, self.buffer = self.buffer[:size], self.buffer[size:]
        return part

    def _read(self):
        """The next request; ValueError if it is not HTTP."""
        head = self._until(b"\r\n\r\n", MAX_HEAD).decode("latin-1").split("\r\n")
        method, target, version = head[0].split(" ")
        headers = []
        for line in head[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise ValueError("header")
            headers.append((name, value.strip()))
        request = Request(method, target, version, headers, self.peer)
        if (request.header("Expect") or "").lower() == "100-continue":
            self.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if (request.header("Transfer-Encoding") or "").lower() == "chunked":
            request.body = self._read_chunks()
        else:
            request.body = self._exactly(int(request.header("Content-Length") or 0))
        return request

    def _read_chunks(self):
        body = b""
        while True:
            size = int(self._until(b"\r\n", 1024).partition(b";")[0], 16)
            body += self._exactly(size)
            if self._until(b"\r\n", 1024) or size == 0:
                return body

    # -- sending --------------------------------------------------------------

    def _pause(self, seconds=None):
        """Waits (for ever: until the client goes away). A client that has gone
        ends it at once, so that no thread outlives its test."""
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        if poll.poll(None if seconds is None else seconds * 1000):
            raise Hangup

    def _reset(self):
        """RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
        raise Hangup

    def _send(self, answer, head_only, keep):
        wire = answer.wire
        if "delay" in wire:
            self._pause(wire["delay"])
        if wire.get("down_for"):
            self.service.go_down(wire["down_for"])
            self._reset()
        if wire.get("reset") == "before":
            self._reset()
        if wire.get("blackhole"):
            self._pause()
        if "raw" in wire:
            self.socket.sendall(wire["raw"].encode("latin-1"))
            raise Hangup
        self._drip(self._head(answer, keep), wire.get("drip_head"))
        if not head_only:
            self._send_body(answer)
        if wire.get("length_off_by", 0) > 0:
            raise Hangup  # the rest never comes; to let the client wait for it: stall

    def _head(self, answer, keep):
        size = answer.filler or len(answer.body)
        lines = ["HTTP/1.1 %d %s" % (answer.status, REASONS.get(answer.status, "Unknown"))]
        headers = {"Date": http_date(time.time()), "Server": self.service.handler.server_name}
        if answer.wire.get("chunked"):
            headers["Transfer-Encoding"] = "chunked"
        elif answer.status != 204:
            headers["Content-Length"] = max(0, size + answer.wire.get("length_off_by", 0))
        headers["Connection"] = "keep-alive" if keep else "close"
        headers.update(answer.headers)
        lines.extend("%s: %s" % item for item in headers.items())
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")

    def _send_body(self, answer):
        wire = answer.wire
        stops = [stop for stop in ("stall", "reset", "close") if stop in wire]
        limit = wire[stops[0]] if stops else None
        sent = 0
        for part in _parts(answer):
            if limit is not None:
                part = part[:limit - sent]
            if part and wire.get("chunked"):
                self.socket.sendall(b"%x\r\n" % len(part))
                self._drip(part, wire.get("drip"))
                self.socket.sendall(b"\r\n")
            else:
                self._drip(part, wire.get("drip"))
            sent += len(part)
            if limit is not None and sent >= limit:
                break
        if "stall" in wire:
            self._pause()
        elif "reset" in wire:
            # what was sent must be read before the reset throws it away
            self._pause(0.05)
            self._reset()
        elif "close" in wire:
            raise Hangup
        if wire.get("chunked"):
            self.socket.sendall(b"0\r\n\r\n")

    def _drip(self, data, interval):
        if not interval:
            self.socket.sendall(data)
            return
        for position in range(len(data)):
            self._pause(interval)
            self.socket.sendall(data[position:position + 1])


def _parts(answer):
    """The body in pieces, so that a huge one needs no memory."""
    if not answer.filler:
        yield answer.body
        return
    left = answer.filler
    while left > 0:
        size = min(left, CHUNK)
        yield b"x" * size
        left -= size
