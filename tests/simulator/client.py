"""The simulator, running, and a client of it on a raw socket: what a test of the agent relies on must
be on the wire, not just in the script."""

import json
import os
import socket
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from waiting import patience, wait_for  # noqa: E402

PROGRAM = os.path.join(HERE, "simulator.py")

MAPPING = "/latest/meta-data/block-device-mapping/"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"
MOMENT = 0.3  # seconds in which something that should not come would come


class Simulator:
    """The program itself, running; gone when the test is."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, PROGRAM, "--exit-with-stdin", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.urls = json.loads(self.process.stdout.readline())

    def address(self, service):
        host, _, port = self.urls[service].partition("://")[2].rpartition(":")
        return host.strip("[]"), int(port)

    def swap(self, script):
        reply = exchange(self.address("control"), "POST", "/_simulator/script",
                         body=json.dumps(script))
        if reply.status != 200:
            raise AssertionError(reply.body)

    def state(self):
        return json.loads(exchange(self.address("control"), "GET", "/_simulator/state").body)

    def stop(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()
        status = self.process.wait(patience())
        self.process.stdout.close()
        return status


class Reply:
    """What came back, as far as it came."""

    def __init__(self, data, ending):
        self.data = data
        self.ending = ending  # "whole", "closed", "reset", "silence"
        head, _, self.body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1]) if lines[0].startswith("HTTP/") else None
        self.headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        self.text = self.body.decode("utf-8", "replace")


def receive(connection, method="GET", silent_after=None):
    """Reads one answer as its Content-Length says, or until something ends it. `silent_after`: so many bytes of a
    body that is not to go on."""
    data = b""
    while True:
        head, mark, body = data.partition(b"\r\n\r\n")
        if mark and silent_after is not None and len(body) >= silent_after:
            connection.settimeout(MOMENT)
        if mark and method == "HEAD":
            return Reply(data, "whole")
        if mark and b"Content-Length: " in head:
            size = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
            if len(body) >= size:
                return Reply(data, "whole")
        try:
            part = connection.recv(65536)
        except socket.timeout:
            return Reply(data, "silence")
        except ConnectionResetError:
            return Reply(data, "reset")
        if not part:
            return Reply(data, "closed")
        data += part


def send(connection, method, target, headers=None, body=""):
    lines = ["%s %s HTTP/1.1" % (method, target), "Host: simulator"]
    lines.extend("%s: %s" % item for item in (headers or {}).items())
    if body:
        lines.append("Content-Length: %d" % len(body.encode("utf-8")))
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode("utf-8"))


def connect(address):
    return socket.create_connection(address, patience())


def is_refused(address):
    try:
        connect(address).close()
    except ConnectionRefusedError:
        return True
    return False


def exchange(address, method, target, headers=None, body="", silent_after=None):
    with connect(address) as connection:
        send(connection, method, target, headers, body)
        return receive(connection, method, silent_after)


class WithSimulator(unittest.TestCase):
    """One process for a class; each test swaps in the script it wants."""

    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.simulator = Simulator(*cls.arguments)

    @classmethod
    def tearDownClass(cls):
        cls.simulator.stop()

    def setUp(self):
        self.simulator.swap({"metadata": [], "endpoint": [],
                             "options": {"imdsv1": False, "token_lifetime": None}})
        exchange(self.simulator.address("control"), "POST", "/_simulator/reset")
        self.metadata = self.simulator.address("metadata")
        self.endpoint = self.simulator.address("endpoint")
        self.token = self.put_token("600").text

    def put_token(self, ttl, **headers):
        headers = dict({TTL: ttl} if ttl is not None else {},
                       **{name.replace("_", "-"): value for name, value in headers.items()})
        return exchange(self.metadata, "PUT", "/latest/api/token", headers)

    def get(self, target, method="GET", silent_after=None):
        return exchange(self.metadata, method, target, {TOKEN: self.token}, silent_after=silent_after)

    def gate(self):
        return self.simulator.state()["metadata"]["gate"]

    def rules(self, *rules):
        self.simulator.swap({"metadata": list(rules)})

    def spoilt(self, silent_after=None, **action):
        """The instance id's answer under one action."""
        self.rules(dict(action, path="meta-data/instance-id"))
        return self.get("/latest/meta-data/instance-id", silent_after=silent_after)
