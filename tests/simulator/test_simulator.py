"""Tests of the simulator, each through a raw socket: what a test of the agent
relies on must be on the wire, not just in the script.

    /usr/bin/python3 -m unittest discover -s tests/simulator
"""

import glob
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import script as scripts  # noqa: E402
from rules import Rules, ScriptError  # noqa: E402

MAPPING = "/latest/meta-data/block-device-mapping/"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"


class Simulator:
    """The program itself, running; gone when the test is."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "simulator.py"), "--exit-with-stdin", *arguments],
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
        status = self.process.wait(5)
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


def receive(connection, method="GET"):
    """Reads one answer as its Content-Length says, or until something ends it."""
    data = b""
    while True:
        head, mark, body = data.partition(b"\r\n\r\n")
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


def exchange(address, method, target, headers=None, body="", timeout=5.0):
    with socket.create_connection(address, timeout) as connection:
        send(connection, method, target, headers, body)
        return receive(connection, method)


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

    def get(self, target, method="GET", timeout=5.0):
        return exchange(self.metadata, method, target, {TOKEN: self.token}, timeout=timeout)

    def rules(self, *rules):
        self.simulator.swap({"metadata": list(rules)})

    def spoilt(self, patience=0.3, **action):
        """The instance id's answer under one action."""
        self.rules(dict(action, path="meta-data/instance-id"))
        return self.get("/latest/meta-data/instance-id", timeout=patience)


class MetadataIsRight(WithSimulator):
    """The service as AWS documents it."""

    arguments = ("--script", "whole_tree")

    def test_token_echoes_its_ttl(self):
        reply = self.put_token("21600")
        self.assertEqual((reply.status, reply.headers[TTL]), (200, "21600"))

    def test_token_needs_a_ttl_in_range(self):
        for ttl in (None, "", "0", "21601", "-1", "x", "1.5"):
            self.assertEqual(self.put_token(ttl).status, 400, ttl)

    def test_token_not_through_a_proxy(self):
        self.assertEqual(self.put_token("60", X_Forwarded_For="10.0.0.1").status, 403)

    def test_token_only_below_latest(self):
        reply = exchange(self.metadata, "PUT", "/2021-07-15/api/token", {TTL: "60"})
        self.assertEqual(reply.status, 403)

    def test_tokens_really_end(self):
        self.simulator.swap({"options": {"token_lifetime": 0.1}})
        self.token = self.put_token("600").text
        self.assertEqual(self.get("/latest/meta-data/instance-id").status, 200)
        time.sleep(0.15)
        self.assertEqual(self.get("/latest/meta-data/instance-id").status, 401)

    def test_no_token_is_401_unless_v1_is_allowed(self):
        path = "/latest/meta-data/instance-id"
        self.assertEqual(exchange(self.metadata, "GET", path).status, 401)
        self.simulator.swap({"options": {"imdsv1": True}})
        self.assertEqual(exchange(self.metadata, "GET", path).status, 200)
        self.assertEqual(exchange(self.metadata, "GET", path, {TOKEN: "not-ours"}).status, 401)

    def test_other_methods_are_405(self):
        self.assertEqual(self.get("/latest/meta-data/instance-id", "POST").status, 405)

    def test_head_has_the_length_and_no_body(self):
        reply = self.get("/latest/meta-data/instance-id", "HEAD")
        self.assertEqual((reply.headers["Content-Length"], reply.body), ("19", b""))

    def test_listing_ends_without_newline(self):
        self.assertEqual(self.get(MAPPING).body,
                         b"ami\nebs1\nephemeral0\nephemeral1\nephemeral2\nephemeral3\nroot")
        self.assertEqual(self.get(MAPPING.rstrip("/")).body, self.get(MAPPING).body)
        self.assertIn("placement/", self.get("/latest/meta-data/").text.split("\n"))

    def test_every_version_has_the_tree(self):
        for version in ("latest", "2021-07-15", "1.0"):
            path = "/%s/meta-data/block-device-mapping/ephemeral3" % version
            self.assertEqual(self.get(path).text, "sde")
        self.assertEqual(self.get("/1999-01-01/meta-data/instance-id").status, 404)

    def test_absent_is_404_with_the_xhtml_page(self):
        reply = self.get("/latest/meta-data/no-such-key")
        self.assertEqual((reply.status, reply.headers["Content-Type"]), (404, "text/html"))
        self.assertIn("<h1>404 - Not Found</h1>", reply.text)

    def test_the_whole_tree(self):
        expected = {
            "instance-type": "m1.xlarge", "instance-life-cycle": "spot",
            "ami-id": "ami-0abcdef1234567890", "placement/region": "eu-west-1",
            "placement/availability-zone": "eu-west-1b",
            "placement/availability-zone-id": "euw1-az2",
            "services/domain": "amazonaws.com", "services/partition": "aws",
            "autoscaling/target-lifecycle-state": "InService",
            "tags/instance/": "Name\naws:autoscaling:groupName\nmuster:hold",
            "tags/instance/aws:autoscaling:groupName": "workers", "tags/instance/muster:hold": "",
            "iam/security-credentials/": "worker"}
        for path, value in expected.items():
            self.assertEqual(self.get("/latest/meta-data/" + path).text, value, path)
        self.assertEqual(self.get("/latest/user-data").text, "#cloud-config\nhostname: worker\n")
        for path in ("spot/instance-action", "events/maintenance/scheduled",
                     "iam/security-credentials/worker"):
            self.assertTrue(json.loads(self.get("/latest/meta-data/" + path).text), path)

    def test_times_are_made_when_asked(self):
        role = json.loads(self.get("/latest/meta-data/iam/security-credentials/worker").text)
        self.assertRegex(role["Expiration"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_identity_document_is_that_of_the_tree(self):
        text = self.get("/latest/dynamic/instance-identity/document").text
        document = json.loads(text)
        self.assertEqual(document["instanceId"], self.get("/latest/meta-data/instance-id").text)
        self.assertEqual(list(document), [
            "accountId", "architecture", "availabilityZone", "billingProducts",
            "devpayProductCodes", "marketplaceProductCodes", "imageId", "instanceId",
            "instanceType", "kernelId", "pendingTime", "privateIp", "ramdiskId", "region",
            "version"])
        self.assertTrue(text.startswith('{\n  "accountId" : "123456789012",\n'), text)
        for name in ("signature", "pkcs7", "rsa2048"):
            self.assertEqual(self.get("/latest/dynamic/instance-identity/" + name).status, 200)

    def test_a_connection_is_kept(self):
        before = self.simulator.state()["metadata"]["connections"]
        with socket.create_connection(self.metadata, 5) as connection:
            for _ in range(3):
                send(connection, "GET", "/latest/meta-data/instance-id", {TOKEN: self.token})
                self.assertEqual(receive(connection).status, 200)
        self.assertEqual(self.simulator.state()["metadata"]["connections"], before + 1)

    def test_not_http_is_400(self):
        with socket.create_connection(self.metadata, 5) as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            self.assertEqual(receive(connection).status, 400)


class Spans(WithSimulator):
    """Which requests a rule is for."""

    def ids(self, count):
        return [self.get("/latest/meta-data/instance-id").status for _ in range(count)]

    def test_times_and_skip(self):
        self.rules({"path": "meta-data/*", "skip": 1, "times": 2, "status": 503})
        self.assertEqual(self.ids(4), [200, 503, 503, 200])

    def test_first_rule_that_applies_wins(self):
        self.rules({"times": 1, "status": 500}, {"times": 1, "status": 503})
        self.assertEqual(self.ids(3), [500, 503, 200])

    def test_sequence_empty_again_after_being_right(self):
        self.rules({"path": "meta-data/block-device-mapping/", "sequence": [
            {"empty": True, "times": 2}, "right", {"empty": True}, "right"]})
        lengths = [len(self.get(MAPPING).body) > 0 for _ in range(6)]
        self.assertEqual(lengths, [False, False, True, False, True, True])

    def test_sequence_is_kept_for_each_path(self):
        self.rules({"path": "meta-data/*", "sequence": [{"status": 503}]})
        self.assertEqual([self.get("/latest/meta-data/" + name).status
                          for name in ("ami-id", "hostname", "ami-id")], [503, 503, 200])

    def test_each_path_can_be_said(self):
        self.rules({"path": "meta-data/*", "each_path": False, "sequence": [{"status": 503}]})
        self.assertEqual([self.get("/latest/meta-data/" + name).status
                          for name in ("ami-id", "hostname")], [503, 200])

    def test_repeat(self):
        self.rules({"sequence": [{"status": 503}, "right"], "repeat": True})
        self.assertEqual(self.ids(4), [503, 200, 503, 200])

    def test_window_from_the_start(self):
        self.rules({"from": 0.3, "until": 0.6, "status": 503})
        seen = self.ids(1)
        time.sleep(0.35)
        seen += self.ids(1)
        time.sleep(0.3)
        self.assertEqual(seen + self.ids(1), [200, 503, 200])

    def test_window_from_the_first_request(self):
        self.rules({"since": "first", "until": 0.2, "status": 404})
        time.sleep(0.25)
        seen = self.ids(1)
        time.sleep(0.25)
        self.assertEqual(seen + self.ids(1), [404, 200])

    def test_probability_is_the_same_for_a_seed(self):
        runs = []
        for _ in range(2):
            self.rules({"probability": 0.4, "seed": 7, "status": 503})
            runs.append(self.ids(30))
        self.assertEqual(runs[0], runs[1])
        self.assertTrue(4 < runs[0].count(503) < 22, runs[0])

    def test_match_by_method_and_glob_and_full_path(self):
        self.rules({"method": "PUT", "status": 403}, {"path": "/1.0/*", "status": 500},
                   {"path": ["dynamic/*", "meta-data/placement/*"], "status": 503})
        self.assertEqual(self.put_token("60").status, 403)
        self.assertEqual(self.get("/1.0/meta-data/ami-id").status, 500)
        self.assertEqual(self.get("/latest/meta-data/ami-id").status, 200)
        self.assertEqual(self.get("/latest/meta-data/placement/region").status, 503)

    def test_match_by_what_a_body_contains(self):
        self.simulator.swap({"endpoint": [{"contains": "Action=Complete", "status": 400}]})
        statuses = [exchange(self.endpoint, "POST", "/", body=body).status
                    for body in ("Action=Complete&x=1", "Action=Record")]
        self.assertEqual(statuses, [400, 200])


class WhatIsSaid(WithSimulator):
    """Actions on the content."""

    def test_status_has_its_page(self):
        for status in (401, 403, 404, 429, 500, 503):
            self.assertEqual(self.spoilt(status=status).status, status)

    def test_a_hidden_token_was_never_issued(self):
        issued = self.simulator.state()["metadata"]["tokens"]["issued"]
        self.rules({"path": "api/token", "times": 1, "status": 503})
        self.put_token("60")
        self.assertEqual(self.simulator.state()["metadata"]["tokens"]["issued"], issued)

    def test_retry_after(self):
        self.assertEqual(self.spoilt(status=503, retry_after=7).headers["Retry-After"], "7")
        self.assertEqual(self.spoilt(status=429, retry_after="soon").headers["Retry-After"], "soon")
        self.assertRegex(self.spoilt(status=429, retry_after_date=2).headers["Retry-After"],
                         r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")

    def test_empty_is_200_and_nothing(self):
        reply = self.spoilt(empty=True)
        self.assertEqual((reply.status, reply.headers["Content-Length"], reply.body),
                         (200, "0", b""))

    def test_body_and_headers(self):
        reply = self.spoilt(body="i-other", headers={"X-Odd": "1", "Content-Type": None})
        self.assertEqual((reply.text, reply.headers["X-Odd"]), ("i-other", "1"))
        self.assertNotIn("Content-Type", reply.headers)

    def test_body_for_an_absent_path_is_200(self):
        self.rules({"path": "meta-data/spot/*", "body": "{}"})
        self.assertEqual(self.get("/latest/meta-data/spot/instance-action").status, 200)

    def test_body_does_not_hide_a_client_without_token(self):
        self.rules({"path": "meta-data/*", "empty": True})
        self.assertEqual(exchange(self.metadata, "GET", MAPPING).status, 401)

    def test_instance_changes_list_and_entry_together(self):
        self.rules({"path": "meta-data/block-device-mapping*", "instance": {
            "block-device-mapping": {"ephemeral1": None, "ephemeral0": "xvdb"}}})
        self.assertNotIn("ephemeral1", self.get(MAPPING).text)
        self.assertEqual(self.get(MAPPING + "ephemeral1").status, 404)
        self.assertEqual(self.get(MAPPING + "ephemeral0").text, "xvdb")

    def test_an_entry_that_vanishes_after_the_listing(self):
        self.rules({"path": "meta-data/block-device-mapping/ephemeral1", "times": 1, "status": 404})
        self.assertIn("ephemeral1", self.get(MAPPING).text)
        self.assertEqual([self.get(MAPPING + "ephemeral1").status for _ in "ab"], [404, 200])

    def test_html_of_a_proxy(self):
        reply = self.spoilt(html=True)
        self.assertEqual(reply.status, 200)
        self.assertTrue(reply.text.startswith("<!DOCTYPE html>"))

    def test_binary_is_no_utf_8(self):
        reply = self.spoilt(binary=300)
        self.assertEqual((len(reply.body), reply.body[:3]), (300, b"\x00\xff\xfe"))

    def test_oversized(self):
        reply = self.spoilt(oversized=3000000)
        self.assertEqual((len(reply.body), reply.ending), (3000000, "whole"))

    def test_redirect(self):
        reply = self.spoilt(redirect="http://127.0.0.1:9/x")
        self.assertEqual((reply.status, reply.headers["Location"]), (302, "http://127.0.0.1:9/x"))
        self.assertEqual(self.spoilt(status=301, redirect="/x").status, 301)

    def test_lines(self):
        for action, expected in (({"trailing_newline": True}, b"domain\npartition\n"),
                                 ({"crlf": True}, b"domain\r\npartition"),
                                 ({"crlf": True, "trailing_newline": True},
                                  b"domain\r\npartition\r\n"),
                                 ({"duplicate": True}, b"domain\ndomain\npartition\npartition")):
            self.rules(dict(action, path="meta-data/services"))
            self.assertEqual(self.get("/latest/meta-data/services/").body, expected)

    def test_no_content(self):
        self.simulator.swap({"endpoint": [{"status": 204}]})
        with socket.create_connection(self.endpoint, 5) as connection:
            send(connection, "POST", "/", body="{}")
            connection.shutdown(socket.SHUT_WR)
            reply = receive(connection)
        self.assertEqual((reply.status, reply.body), (204, b""))


class HowItIsSaid(WithSimulator):
    """Actions on the wire, and on the listening socket."""

    def test_delay(self):
        began = time.monotonic()
        self.assertEqual(self.spoilt(delay=0.2, patience=5).status, 200)
        self.assertGreaterEqual(time.monotonic() - began, 0.2)

    def test_drip(self):
        began = time.monotonic()
        self.assertEqual(self.spoilt(drip=0.01).text, "i-0123456789abcdef0")
        self.assertGreaterEqual(time.monotonic() - began, 0.19)

    def test_drip_head(self):
        reply = self.spoilt(drip_head=0.002, patience=2)
        self.assertEqual(reply.text, "i-0123456789abcdef0")

    def test_stall_after_the_head_and_mid_body(self):
        for size in (0, 4):
            reply = self.spoilt(stall=size)
            self.assertEqual((reply.ending, reply.headers["Content-Length"], reply.text),
                             ("silence", "19", "i-01"[:size]))

    def test_reset_mid_body(self):
        reply = self.spoilt(reset=4)
        self.assertEqual((reply.ending, reply.text), ("reset", "i-01"))

    def test_reset_before_the_answer(self):
        self.assertEqual((self.spoilt(reset="before").ending), "reset")

    def test_close_mid_body(self):
        reply = self.spoilt(close=4)
        self.assertEqual((reply.ending, reply.text), ("closed", "i-01"))

    def test_length_longer_than_the_body(self):
        reply = self.spoilt(length_off_by=5)
        self.assertEqual((reply.ending, reply.headers["Content-Length"], len(reply.body)),
                         ("closed", "24", 19))

    def test_length_shorter_than_the_body(self):
        reply = self.spoilt(length_off_by=-5)
        self.assertEqual((reply.ending, reply.headers["Content-Length"]), ("whole", "14"))

    def test_chunked(self):
        reply = self.spoilt(chunked=True)
        self.assertEqual(reply.body, b"13\r\ni-0123456789abcdef0\r\n0\r\n\r\n")

    def test_connection_close_said_and_not_said(self):
        for action, said in (({"keep_alive": False}, "close"), ({"hang_up": True}, "keep-alive")):
            self.rules(action)
            with socket.create_connection(self.metadata, 2) as connection:
                send(connection, "GET", "/latest/meta-data/ami-id", {TOKEN: self.token})
                self.assertEqual(receive(connection).headers["Connection"], said)
                self.assertEqual(connection.recv(1), b"")

    def test_raw(self):
        self.assertEqual(self.spoilt(raw="SSH-2.0-x\r\n").data, b"SSH-2.0-x\r\n")

    def test_blackhole(self):
        reply = self.spoilt(blackhole=True)
        self.assertEqual((reply.ending, reply.data), ("silence", b""))
        self.assertEqual(self.simulator.state()["metadata"]["by_status"]["none"], 1)

    def test_refuse_for_a_while_and_then_the_same_port(self):
        with socket.create_connection(self.metadata, 2) as kept:
            self.rules({"refuse": True, "until": 0.3})
            self.assertEqual(kept.recv(1), b"")  # a dead service keeps nobody
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(self.metadata, 2)
        self.assertEqual(self.simulator.state()["metadata"]["gate"], "refuse")
        time.sleep(0.35)
        self.assertEqual(self.get("/latest/meta-data/ami-id").status, 200)

    def test_refuse_in_the_middle(self):
        self.rules({"refuse": True, "from": 0.2, "until": 0.4})
        self.assertEqual(self.get("/latest/meta-data/ami-id").status, 200)
        time.sleep(0.25)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(self.metadata, 2)
        time.sleep(0.2)
        self.assertEqual(self.get("/latest/meta-data/ami-id").status, 200)

    def test_drop_connects(self):
        self.rules({"drop_connects": True})
        with self.assertRaises(socket.timeout):
            socket.create_connection(self.metadata, 0.4)
        self.rules()
        self.assertEqual(self.get("/latest/meta-data/ami-id").status, 200)

    def test_down_for_from_a_request_on(self):
        self.rules({"path": "meta-data/ami-id", "times": 1, "down_for": 0.3})
        self.assertIn(self.get("/latest/meta-data/ami-id").ending, ("reset", "closed"))
        time.sleep(0.05)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(self.metadata, 2)
        time.sleep(0.35)
        self.assertEqual(self.get("/latest/meta-data/ami-id").status, 200)


class TheEndpoint(unittest.TestCase):
    """Reports, as a test finds them afterwards."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.record = os.path.join(self.folder.name, "reports.jsonl")

    def tearDown(self):
        self.folder.cleanup()

    def lines(self):
        with open(self.record, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def test_records_each_request_and_its_fate(self):
        simulator = Simulator("--record", self.record, "--script", '{"endpoint": [{"sequence": '
                              '[{"status": 500}, {"reset": "before"}, {"close": 3}], '
                              '"each_path": false}]}')
        for number in range(4):
            exchange(simulator.address("endpoint"), "POST", "/v1/reports?n=1",
                     {"Idempotency-Key": "i/b/%d" % number}, '{"sequence": %d}' % number)
        self.assertEqual(simulator.stop(), 0)
        lines = self.lines()
        self.assertEqual([(line["status"], line["whole"]) for line in lines],
                         [(500, True), (None, False), (200, False), (200, True)])
        self.assertEqual([line["json"]["sequence"] for line in lines], [0, 1, 2, 3])
        self.assertEqual((lines[3]["path"], lines[3]["headers"]["Idempotency-Key"]),
                         ("/v1/reports?n=1", "i/b/3"))

    def test_body_in_chunks_and_body_that_is_no_json(self):
        simulator = Simulator("--record", self.record)
        with socket.create_connection(simulator.address("endpoint"), 5) as connection:
            connection.sendall(b"POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                               b"3\r\nnot\r\n5\r\n json\r\n0\r\n\r\n")
            self.assertEqual(receive(connection).status, 200)
        simulator.stop()
        self.assertEqual([(line["body"], line["json"]) for line in self.lines()],
                         [("not json", None)])

    def test_down_at_the_start_until_swapped(self):
        simulator = Simulator("--script", "endpoint_down", "--record", self.record)
        address = simulator.address("endpoint")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(address, 2)
        simulator.swap({"endpoint": []})
        self.assertEqual(exchange(address, "POST", "/", body="{}").status, 200)
        simulator.swap({"extends": "endpoint_down.json"})
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(address, 2)
        simulator.stop()
        self.assertEqual(len(self.lines()), 1)

    def test_a_hundred_at_once(self):
        simulator = Simulator("--record", self.record)
        connections = [socket.create_connection(simulator.address("endpoint"), 5)
                       for _ in range(100)]
        for connection in connections:
            send(connection, "POST", "/", body="{}")
        statuses = []
        for connection in connections:
            with connection:
                statuses.append(receive(connection).status)
        simulator.stop()
        self.assertEqual((statuses, len(self.lines())), ([200] * 100, 100))

    def test_tls(self):
        certificate = os.path.join(self.folder.name, "cert.pem")
        key = os.path.join(self.folder.name, "key.pem")
        try:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
                            certificate, "-days", "2", "-subj", "/CN=localhost", "-addext",
                            "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        except FileNotFoundError:
            self.skipTest("no openssl")
        import ssl
        simulator = Simulator("--tls-cert", certificate, "--tls-key", key, "--script",
                              '{"endpoint": [{"skip": 1, "reset": 3}]}')
        self.assertTrue(simulator.urls["endpoint"].startswith("https://"))
        context = ssl.create_default_context(cafile=certificate)
        # Python's client calls a reset below TLS a close
        for endings in (("whole",), ("reset", "closed")):
            with socket.create_connection(simulator.address("endpoint"), 5) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as connection:
                    send(connection, "POST", "/", body="{}")
                    self.assertIn(receive(connection).ending, endings)
        simulator.stop()


class TheProgram(unittest.TestCase):
    """Its start, its end, its control."""

    def test_ends_with_stdin_and_with_sigterm(self):
        self.assertEqual(Simulator().stop(), 0)
        simulator = Simulator()
        simulator.process.send_signal(signal.SIGTERM)
        self.assertEqual(simulator.process.wait(5), 0)
        simulator.stop()

    def test_a_wrong_script_is_told_and_refused(self):
        for script in ('{"metadta": []}', '{"metadata": [{"stauts": 503}]}', '{"metadata": 3}',
                       '{"metadata": [{"path": "*"}]}', '{"metadata": [{"status": "503"}]}',
                       '{"metadata": [{"refuse": true, "path": "x"}]}', '{"options": {"v1": true}}',
                       '{"metadata": [{"sequence": ["wrong"]}]}', "{", "no-such-script"):
            run = subprocess.run([sys.executable, os.path.join(HERE, "simulator.py"), "--script",
                                  script], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                 timeout=10)
            self.assertEqual((run.returncode, run.stdout), (2, ""), script)
            self.assertTrue(run.stderr.startswith("simulator: "), run.stderr)

    def test_swap_changes_only_what_it_names(self):
        simulator = Simulator("--script", '{"metadata": [{"times": 2, "status": 503}]}')
        metadata = simulator.address("metadata")
        self.assertEqual(exchange(metadata, "GET", "/").status, 503)
        simulator.swap({"endpoint": [], "options": {"imdsv1": True},
                        "instance": {"tags": {"instance": {"muster:hold": "yes"}}}})
        self.assertEqual(exchange(metadata, "GET", "/").status, 503)
        tag = "/latest/meta-data/tags/instance/muster:hold"
        self.assertEqual(exchange(metadata, "GET", tag).text, "yes")
        self.assertEqual(exchange(metadata, "GET", "/latest/meta-data/ami-id").status, 200)
        with self.assertRaises(AssertionError):
            simulator.swap({"endpoint": [{"stauts": 1}]})
        simulator.stop()

    def test_state_counts(self):
        with tempfile.NamedTemporaryFile() as log:
            simulator = Simulator("--log", log.name, "--script",
                                  '{"metadata": [{"name": "once", "times": 1, "status": 503}]}')
            for _ in range(2):
                exchange(simulator.address("metadata"), "PUT", "/latest/api/token", {TTL: "60"})
            state = simulator.state()["metadata"]
            simulator.stop()
            self.assertEqual((state["connections"], state["requests"]), (2, 2))
            self.assertEqual(state["by_path"], {"PUT /latest/api/token": 2})
            self.assertEqual(state["by_status"], {"503": 1, "200": 1})
            self.assertEqual(state["by_rule"], {"once": 1})
            self.assertEqual(state["tokens"], {"asked": 1, "issued": 1, "refused": 0})
            self.assertEqual([json.loads(line)["status"] for line in log], [503, 200])

    def test_log_tells_who_came_without_a_token(self):
        with tempfile.NamedTemporaryFile() as log:
            simulator = Simulator("--log", log.name)
            for headers in ({}, {TOKEN: "not ours"}):
                exchange(simulator.address("metadata"), "GET", "/latest/meta-data", headers)
            simulator.stop()
            lines = [json.loads(line) for line in log]
            self.assertEqual([line["token"] for line in lines], [False, True])
            self.assertEqual([line["status"] for line in lines], [401, 401])

    def test_ipv6(self):
        if not os.path.exists("/proc/net/if_inet6"):
            self.skipTest("no IPv6 here")
        simulator = Simulator("--bind", "::1")
        self.assertTrue(simulator.urls["metadata"].startswith("http://[::1]:"))
        self.assertEqual(exchange(simulator.address("metadata"), "GET", "/").status, 401)
        simulator.stop()


class TheScripts(unittest.TestCase):
    """The data files."""

    def test_every_script_is_well_formed_and_says_what_it_is(self):
        paths = glob.glob(os.path.join(HERE, "scripts", "*.json"))
        self.assertGreater(len(paths), 20)
        for path in paths:
            script = scripts.load_all([path])
            self.assertTrue(scripts.load(path).get("comment"), path)
            for service in ("metadata", "endpoint"):
                Rules(service, script.get(service, []))

    def test_set_replaces_where_a_script_merges(self):
        script = scripts.load_all(
            ["nvme", '{"instance": {"block-device-mapping": {"ebs2": "sdg"}}}'],
            ["instance.instance-type=i4i.metal"])
        self.assertEqual(script["instance"]["block-device-mapping"],
                         {"ami": "/dev/xvda", "root": "/dev/xvda", "ebs1": "sdf", "ebs2": "sdg"})
        self.assertEqual(script["instance"]["instance-type"], "i4i.metal")
        script = scripts.load_all(["healthy"], ['instance.block-device-mapping={"ami": "sda1"}',
                                                "instance.events=null"])
        self.assertEqual(script["instance"]["block-device-mapping"], {"ami": "sda1"})
        self.assertNotIn("events", script["instance"])

    def test_extending_oneself_is_told(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "loop.json")
            with open(path, "w", encoding="utf-8") as file:
                file.write('{"extends": "loop.json"}')
            with self.assertRaises(ScriptError):
                scripts.load(path)

    def test_misbehaving_is_must_show_3_of_issue_2(self):
        """With its refusal shortened: refused, 503, empty twice, right, empty, right."""
        script = scripts.load("misbehaving")
        self.assertEqual(script["metadata"][0]["until"], 5.0)
        script["metadata"][0]["until"] = 0.4
        simulator = Simulator("--script", json.dumps(script))
        metadata = simulator.address("metadata")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(metadata, 2)
        time.sleep(0.45)
        replies = [exchange(metadata, "PUT", "/latest/api/token", {TTL: "60"}) for _ in range(3)]
        self.assertEqual([reply.status for reply in replies], [503, 503, 200])
        token = {TOKEN: replies[2].text}
        sizes = [len(exchange(metadata, "GET", MAPPING, token).body) for _ in range(6)]
        simulator.stop()
        self.assertEqual([size > 0 for size in sizes], [False, False, True, False, True, True])


if __name__ == "__main__":
    unittest.main()
