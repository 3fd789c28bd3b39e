"""An HTTP/1.1 service whose listening socket can go away and come back.

Written by hand because every library hides what is needed here: a port that is
refused for a while and stays ours, a connect that hangs, and (connection.py) a
reset in the middle of a body. One thread accepts, one serves each connection.
"""

import select
import socket
import threading
import time

from answer import spoil
from connection import Connection
from refusals import watch_refusals
from rules import DROP_CONNECTS, OPEN, REFUSE

BACKLOG = 4096


class Counters:
    """What a test asks about afterwards."""

    def __init__(self):
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        with self.lock:
            self.connections = 0
            self.refused = 0
            self.requests = 0
            self.by_path = {}
            self.by_status = {}
            self.by_rule = {}

    def count_connection(self):
        with self.lock:
            self.connections += 1

    def count_refused(self, count):
        with self.lock:
            self.refused += count

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
            return {"connections": self.connections, "refused": self.refused,
                    "requests": self.requests,
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
        # what the listening socket is now, and the rules that it follows
        self.gate = None
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
        sockets = []
        while True:
            rules = self.rules
            wanted, wait = self._wanted(rules)
            if wanted != self.gate:
                for each in sockets:
                    each.close()
                sockets = self._open(wanted)
                self.gate = wanted
            if self.gate == REFUSE and not sockets and rules.note_unseen():
                continue
            with self.following:
                self.followed = rules
                self.following.notify_all()
            poll = select.poll()
            poll.register(self.wake_in, select.POLLIN)
            if self.gate != DROP_CONNECTS and sockets:
                poll.register(sockets[0], select.POLLIN)
            for handle, _ in poll.poll(None if wait is None else int(wait * 1000) + 1):
                if handle == self.wake_in.fileno():
                    self.wake_in.recv(4096)
                elif self.gate == OPEN:
                    self._serve(sockets[0])
                else:
                    self._count_refused(rules, sockets[0].take())

    def _open(self, wanted):
        """The sockets of that state, the one to listen to first."""
        if wanted == OPEN:
            listener = self._bind(self.address)
            listener.listen(BACKLOG)
            return [listener]
        sockets = []
        if wanted == DROP_CONNECTS:
            sockets = self._drop_connects()
        elif refusals := watch_refusals(self.family, self.address):
            sockets = [refusals]
        self._drop_connections()
        return sockets

    def _count_refused(self, rules, count):
        self.counters.count_refused(count)
        rules.note_refused(count)

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
        return [listener, *fillers]

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
