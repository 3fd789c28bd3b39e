"""The scaler's endpoint: takes reports on any path and remembers them."""

import json
import os
import threading
import time

from answer import Answer, error_answer


class Endpoint:
    """The handler behind the endpoint's socket: right means taken."""

    server_name = "muster-simulator"

    def __init__(self, receiver=None):
        """`receiver`: JSON, what a scaler's side is to be like; none: reports are taken and no more."""
        self.decisions = []
        self.lock = threading.Lock()
        self.receiver = None
        if receiver:
            from receiver import Receiver
            self.receiver = Receiver(self.decide, **json.loads(receiver))
            threading.Thread(target=self.tick, daemon=True).start()

    def decide(self, instance, why):
        self.decisions.append({"time": time.time(), "recreate": instance, "why": why})

    def tick(self):
        while True:
            time.sleep(0.2)
            with self.lock:
                self.receiver.tick()

    def held_back(self):
        """Why each instance is to be replaced that the receiver's brake does not allow yet."""
        if not self.receiver:
            return {}
        with self.lock:
            return {name: one.wanted for name, one in self.receiver.instances.items() if one.wanted}

    def respond(self, request, changes=None):
        if request.method not in ("POST", "PUT"):
            return error_answer(405)
        if self.receiver:
            try:
                report = json.loads(request.body)
                with self.lock:
                    self.receiver.take(report, request.header("Idempotency-Key"))
            except (ValueError, KeyError, TypeError):
                return error_answer(400)
        return Answer(200, '{"taken": true}\n', "application/json")


class LineFile:
    """A file of JSON lines. One write a line on an append-only descriptor:
    whole lines only, at once in the file, whatever kills us."""

    def __init__(self, path):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self.descriptor = os.open(path, flags, 0o600)
        self.lock = threading.Lock()

    def write(self, entry):
        line = json.dumps(entry, separators=(",", ":")).encode("utf-8") + b"\n"
        with self.lock:
            os.write(self.descriptor, line)


class Recorder:
    """Every request the endpoint got, and what it was answered.

    A request that was answered with an error is recorded too (`status` tells):
    a test of "delivered once" counts what was taken, one of "tried again"
    counts them all. `status` null: the client was never answered; `whole`
    false: it did not get all of the answer.
    """

    def __init__(self, path):
        self.file = LineFile(path) if path else None
        self.began = time.monotonic()

    def observe(self, request, answer, rule):
        if not self.file:
            return
        text = request.body.decode("utf-8", "replace")
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = None
        self.file.write({
            "time": time.time(), "since_start": round(time.monotonic() - self.began, 6),
            "peer": request.peer[0], "method": request.method, "path": request.target,
            "headers": join_headers(request.headers), "status": answer.seen_status,
            "whole": answer.is_whole, "rule": rule,
            "body": text, "json": parsed})


def join_headers(headers):
    """As an object; a header sent twice shows both its values."""
    joined = {}
    for name, value in headers:
        joined[name] = "%s, %s" % (joined[name], value) if name in joined else value
    return joined


class RequestLog:
    """Who asked the metadata service what, when: a line a request, no bodies.

    `token`: whether one was sent, good or not.
    """

    def __init__(self, path):
        self.file = LineFile(path) if path else None
        self.began = time.monotonic()

    def observe(self, request, answer, rule):
        if self.file:
            self.file.write({
                "time": time.time(), "since_start": round(time.monotonic() - self.began, 6),
                "method": request.method, "path": request.target,
                "token": request.header("X-aws-ec2-metadata-token") is not None,
                "status": answer.seen_status, "whole": answer.is_whole,
                "rule": rule, "connection": request.peer[1]})
