"""The endpoint of the simulator."""

import json
import os
import subprocess
import tempfile
import unittest

from client import Simulator, connect, exchange, is_refused, receive, send


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
        with connect(simulator.address("endpoint")) as connection:
            connection.sendall(b"POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                               b"3\r\nnot\r\n5\r\n json\r\n0\r\n\r\n")
            self.assertEqual(receive(connection).status, 200)
        simulator.stop()
        self.assertEqual([(line["body"], line["json"]) for line in self.lines()],
                         [("not json", None)])

    def test_down_at_the_start_until_swapped(self):
        simulator = Simulator("--script", "endpoint_down", "--record", self.record)
        address = simulator.address("endpoint")
        self.assertTrue(is_refused(address))
        simulator.swap({"endpoint": []})
        self.assertEqual(exchange(address, "POST", "/", body="{}").status, 200)
        simulator.swap({"extends": "endpoint_down.json"})
        self.assertTrue(is_refused(address))
        simulator.stop()
        self.assertEqual(len(self.lines()), 1)

    def test_a_hundred_at_once(self):
        simulator = Simulator("--record", self.record)
        connections = [connect(simulator.address("endpoint"))
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
            with connect(simulator.address("endpoint")) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as connection:
                    send(connection, "POST", "/", body="{}")
                    self.assertIn(receive(connection).ending, endings)
        simulator.stop()
