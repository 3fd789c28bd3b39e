"""A raw HTTP/1.1 server that can be as bad as the field reports say.

Written by hand because every library hides what is needed here: the listening
socket that goes away and comes back on the same port, a reset in the middle of
a body, a length that is not true. One thread accepts, one serves each
connection; keep-alive works, so that a client's reuse is tested too.
"""

import select
import socket
import struct
import threading
import time

from answer import REASONS, error_answer, http_date, spoil
from rules import DROP_CONNECTS, OPEN, REFUSE

MAX_HEAD = 64 * 1024
MAX_BODY = 16 * 1024 * 1024
BACKLOG = 4096
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


class Counters:
    """What a test asks about afterwards."""

    def __init__(self):
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        with self.lock:
            self.connections = 0
            self.requests = 0
            self.by_path = {}
            self.by_status = {}
            self.by_rule = {}

    def count_connection(self):
        with self.lock:
            self.connections += 1

    def count_request(self, request, status, rule):
        with self.lock:
            self.requests += 1
            for table, key in ((self.by_path, "%s %s" % (request.method, request.target)),
                               (self.by_status, str(status or "none")),
                               (self.by_rule, rule)):
                if key is not None:
                    table[key] = table.get(key, 0) + 1

    def snapshot(self):
        with self.lock:
            return {"connections": self.connections, "requests": self.requests,
                    "by_path": dict(self.by_path), "by_status": dict(self.by_status),
                    "by_rule": dict(self.by_rule)}


class Service:
    """One address that answers: `handler.respond(request, changes)` makes the
    right answer, `rules` spoil it, `observe(request, answer, rule)` is told."""

    def __init__(self, name, address, port, handler, rules, tls=None,
                 shorten=None, observe=None):
        self.name = name
        self.handler = handler
        self.rules = rules
        self.tls = tls
        self.shorten = shorten or (lambda path: path.strip("/"))
        self.observe = observe or (lambda request, answer, rule: None)
        self.counters = Counters()
        self.connections = set()
        self.lock = threading.Lock()
        self.down_until = 0.0
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        # Bound and never listening: keeps the port ours while it is refused.
        self.holder = self._bind((address, port))
        self.address = self.holder.getsockname()[:2]
        self.wake_in, self.wake_out = socket.socketpair()
        self.wake_in.setblocking(False)
        # the rules that the listening socket follows now
        self.followed = None
        self.following = threading.Condition()

    def url(self):
        host = "[%s]" % self.address[0] if self.family == socket.AF_INET6 else self.address[0]
        return "%s://%s:%d" % ("https" if self.tls else "http", host, self.address[1])

    def start(self):
        """Returns when the socket is what the script wants it to be at first."""
        threading.Thread(target=self._accept, name=self.name, daemon=True).start()
        self.swap(self.rules)

    def swap(self, rules):
        """Other rules from now on. Returns when the socket follows them."""
        rules.restart_clock()
        self.down_until = 0.0
        self.rules = rules
        self._wake()
        with self.following:
            self.following.wait_for(lambda: self.followed is rules)

    def go_down(self, seconds):
        self.down_until = time.monotonic() + seconds
        self._wake()

    # -- the listening socket: one thread owns it ---------------------------

    def _bind(self, address):
        bound = socket.socket(self.family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
        return bound

    def _wake(self):
        self.wake_out.send(b"!")

    def _wanted(self, rules):
        gate, wait = rules.gate()
        left = self.down_until - time.monotonic()
        if left > 0:
            return REFUSE, left
        return gate, wait

    def _accept(self):
        state, listener, queue_fillers = REFUSE, None, []
        while True:
            rules = self.rules
            wanted, wait = self._wanted(rules)
            if wanted != state:
                if listener:
                    listener.close()
                for filler in queue_fillers:
                    filler.close()
                listener, queue_fillers = None, []
                if wanted == OPEN:
                    listener = self._bind(self.address)
                    listener.listen(BACKLOG)
                elif wanted == DROP_CONNECTS:
                    listener, queue_fillers = self._drop_connects()
                if wanted != OPEN:
                    self._drop_connections()
                state = wanted
            with self.following:
                self.followed = rules
                self.following.notify_all()
            poll = select.poll()
            poll.register(self.wake_in, select.POLLIN)
            if state == OPEN:
                poll.register(listener, select.POLLIN)
            for handle, _ in poll.poll(None if wait is None else int(wait * 1000) + 1):
                if handle == self.wake_in.fileno():
                    self.wake_in.recv(4096)
                else:
                    self._serve(listener)

    def _drop_connects(self):
        """A listener with a full queue: the kernel drops each SYN, as a
        firewall would, and a client's connect runs into its own limit."""
        listener = self._bind(self.address)
        listener.listen(0)
        fillers = []
        for _ in range(2):
            filler = socket.socket(self.family, socket.SOCK_STREAM)
            filler.setblocking(False)
            filler.connect_ex(self.address)
            fillers.append(filler)
        return listener, fillers

    def _drop_connections(self):
        """A service that is gone answers nobody, kept-alive or not."""
        with self.lock:
            for connection in self.connections:
                connection.end()

    def _serve(self, listener):
        try:
            accepted, peer = listener.accept()
        except OSError:
            return
        self.counters.count_connection()
        connection = Connection(self, accepted, peer)
        with self.lock:
            self.connections.add(connection)
        threading.Thread(target=connection.run, daemon=True).start()

    def forget(self, connection):
        with self.lock:
            self.connections.discard(connection)

    # -- one request ----------------------------------------------------------

    def answer(self, request):
        """The answer that the script makes of the right one, told and counted
        before it is sent: who has seen the answer will find the record."""
        request.short_path = self.shorten(request.path)
        action, rule = self.rules.consult(request)
        answer = spoil(action, lambda changes: self.handler.respond(request, changes))
        self.counters.count_request(request, answer.seen_status, rule)
        self.observe(request, answer, rule)
        return answer


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
