"""How the simulator answers wrongly: what is said, and how it comes over the wire."""

import socket
import time

from client import (MAPPING, MOMENT, TOKEN, WithSimulator, connect, exchange, is_refused, receive, send,
                    wait_for)
from rules import Rules


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
        with connect(self.endpoint) as connection:
            send(connection, "POST", "/", body="{}")
            connection.shutdown(socket.SHUT_WR)
            reply = receive(connection)
        self.assertEqual((reply.status, reply.body), (204, b""))


class HowItIsSaid(WithSimulator):
    """Actions on the wire, and on the listening socket."""

    def test_delay(self):
        began = time.monotonic()
        self.assertEqual(self.spoilt(delay=0.2).status, 200)
        self.assertGreaterEqual(time.monotonic() - began, 0.2)

    def test_drip(self):
        began = time.monotonic()
        self.assertEqual(self.spoilt(drip=0.01).text, "i-0123456789abcdef0")
        self.assertGreaterEqual(time.monotonic() - began, 0.19)

    def test_drip_head(self):
        reply = self.spoilt(drip_head=0.002)
        self.assertEqual(reply.text, "i-0123456789abcdef0")

    def test_stall_after_the_head_and_mid_body(self):
        for size in (0, 4):
            reply = self.spoilt(silent_after=size, stall=size)
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
        chunks = b"13\r\ni-0123456789abcdef0\r\n0\r\n\r\n"
        self.assertEqual(self.spoilt(silent_after=len(chunks), chunked=True).body, chunks)

    def test_connection_close_said_and_not_said(self):
        for action, said in (({"keep_alive": False}, "close"), ({"hang_up": True}, "keep-alive")):
            self.rules(action)
            with connect(self.metadata) as connection:
                send(connection, "GET", "/latest/meta-data/ami-id", {TOKEN: self.token})
                self.assertEqual(receive(connection).headers["Connection"], said)
                self.assertEqual(connection.recv(1), b"")

    def test_raw(self):
        self.assertEqual(self.spoilt(raw="SSH-2.0-x\r\n").data, b"SSH-2.0-x\r\n")

    def test_blackhole(self):
        self.rules({"blackhole": True})
        with connect(self.metadata) as connection:
            send(connection, "GET", "/latest/meta-data/instance-id", {TOKEN: self.token})
            wait_for(lambda: self.simulator.state()["metadata"]["by_status"].get("none") == 1)
            connection.settimeout(MOMENT)
            reply = receive(connection)
        self.assertEqual((reply.ending, reply.data), ("silence", b""))

    def test_refuse_for_a_while_and_then_the_same_port(self):
        with connect(self.metadata) as kept:
            self.rules({"refuse": True, "since": "first", "until": 0.3})
            self.assertEqual(kept.recv(1), b"")  # a dead service keeps nobody
        self.assertEqual(self.gate(), "refuse")
        self.assertTrue(is_refused(self.metadata))
        wait_for(lambda: self.gate() == "open")
        self.assertEqual(self.get("/latest/meta-data/ami-id").status, 200)

    def test_refuse_so_many(self):
        self.rules({"refuse": True, "at_least": 3})
        for number in range(3):
            wait_for(lambda: self.simulator.state()["metadata"]["refused"] == number)
            self.assertTrue(is_refused(self.metadata))
        wait_for(lambda: self.gate() == "open")
        self.assertEqual(self.get("/latest/meta-data/ami-id").status, 200)

    def test_refuse_in_the_middle(self):
        self.rules({"refuse": True, "from": 0.2})
        wait_for(lambda: is_refused(self.metadata))
        self.rules({"refuse": True, "until": 0.2})
        wait_for(lambda: not is_refused(self.metadata))
        rules = Rules("metadata", [{"refuse": True, "from": 0.2, "until": 0.4}])
        seen = []
        for now in (0.0, 0.25, 0.5):
            rules.age = lambda: now
            seen.append(rules.gate())
        self.assertEqual([gate for gate, _ in seen], ["open", "refuse", "open"])
        self.assertEqual([wait and round(wait, 3) for _, wait in seen], [0.2, 0.15, None])

    def test_drop_connects(self):
        self.rules({"drop_connects": True})
        with self.assertRaises(socket.timeout):
            socket.create_connection(self.metadata, 0.4)
        self.rules()
        self.assertEqual(self.get("/latest/meta-data/ami-id").status, 200)

    def test_down_for_from_a_request_on(self):
        self.rules({"path": "meta-data/ami-id", "times": 1, "down_for": 3600})
        self.assertIn(self.get("/latest/meta-data/ami-id").ending, ("reset", "closed"))
        wait_for(lambda: is_refused(self.metadata))
        self.rules({"path": "meta-data/ami-id", "times": 1, "down_for": 0.3})
        self.assertIn(self.get("/latest/meta-data/ami-id").ending, ("reset", "closed"))
        wait_for(self.is_well)

    def is_well(self):
        try:
            return self.get("/latest/meta-data/ami-id").status == 200
        except ConnectionRefusedError:
            return False
