"""https to an endpoint with a certificate of a private authority, made here."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

from case import Case
from machine import Traces, configuration, only


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


class WithAuthority(Case):
    """A private authority and the certificates of servers and a client."""

    def setUp(self):
        self.folder = folder = tempfile.mkdtemp(prefix="muster-tls-")
        self.addCleanup(shutil.rmtree, folder)
        for name in ("ca", "other-ca"):
            openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key", "-out",
                    f"{name}.pem", "-days", "2", "-subj", f"/CN=muster test {name}")
        for name, names, days in (("right", "IP:127.0.0.1", "2"),
                                  ("wrong-name", "DNS:elsewhere.example", "2"),
                                  ("expired", "IP:127.0.0.1", "-1")):
            openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj",
                    "/CN=scaler")
            with open(os.path.join(folder, "names"), "w", encoding="ascii") as file:
                file.write(f"subjectAltName={names}\n")
            openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey",
                    "ca.key", "-CAcreateserial", "-days", days, "-extfile", "names", "-out",
                    f"{name}.pem")
        openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-keyout", "client.key", "-out", "client.csr", "-subj", "/CN=agent")
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-keyout", "stranger.key", "-out", "stranger.pem", "-days", "2",
                "-subj", "/CN=stranger")
        openssl(folder, "x509", "-req", "-in", "client.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "2", "-out", "client.pem")

        for name in os.listdir(folder):
            if name.endswith(".key"):
                with open(os.path.join(folder, name), encoding="ascii") as file:
                    Traces.add_secret(file.read().splitlines()[1])

    def file(self, name):
        return os.path.join(self.folder, name)


class Tls(WithAuthority):
    def deliver(self, certificate, status, options=(), **sink):
        """One that is not delivered may be tried again for some seconds."""
        simulator = self.simulator("healthy", options=(
            "--tls-cert", self.file(certificate + ".pem"),
            "--tls-key", self.file(certificate + ".key"), *options))
        machine = self.machine(configuration(simulator, report={
            "deadline": "8s" if status else "60s", "to": {"scaler": sink}}))
        outcome = self.ends(machine.run("run"), status)
        tries = only(machine.read_json("/run/muster/status.json")["deliveries"])["tries"]
        return simulator, outcome, tries

    def test_all(self):
        ca = self.file("ca.pem")
        with open(ca, encoding="ascii") as whole, open(self.file("broken.pem"), "w", encoding="ascii") as broken:
            broken.write(whole.read()[:200])
        with self.subTest("right"):
            simulator, _, _ = self.deliver("right", 0, ca_file=ca)
            self.is_ready(simulator.taken()[-1])
        for name, certificate, sink, message in (
                ("the system's authorities", "right", {}, "local issuer certificate"),
                ("another authority", "right", {"ca_file": self.file("other-ca.pem")},
                 "local issuer certificate"),
                ("another's name", "wrong-name", {"ca_file": ca},
                 "subject name matches target host name '127.0.0.1'"),
                ("expired", "expired", {"ca_file": ca}, "expired"),
                ("a broken bundle", "right", {"ca_file": self.file("broken.pem")}, "broken.pem"),
                ("no such file", "right", {"ca_file": self.file("none.pem")}, "none.pem")):
            with self.subTest(name):
                simulator, outcome, tries = self.deliver(certificate, 3, **sink)
                self.assertEqual(simulator.requests(), [])
                self.assertIn("not delivered", outcome.err)
                self.assertIn(message, outcome.err)
                self.assertEqual(tries, 1, "no use in trying again")
        with self.subTest("a client certificate is demanded"):
            demand = ("--tls-client-ca", ca)
            simulator, outcome, _ = self.deliver("right", 3, demand, ca_file=ca)
            self.assertEqual(simulator.requests(), [])
            self.assertIn("demands a client certificate", outcome.err)
            simulator, outcome, _ = self.deliver(
                "right", 3, demand, ca_file=ca, client_certificate=self.file("stranger.pem"),
                client_key=self.file("stranger.key"))
            self.assertEqual(simulator.requests(), [])
            self.assertRegex(outcome.err, "authority of our client certificate|does not accept ours")
            simulator, _, _ = self.deliver(
                "right", 0, demand, ca_file=ca, client_certificate=self.file("client.pem"),
                client_key=self.file("client.key"))
            self.is_ready(simulator.taken()[-1])
        for version, speaks in (("1.1", False), ("1.2", True)):
            with self.subTest("TLS " + version):
                simulator, outcome, tries = self.deliver(
                    "right", 0 if speaks else 3, ("--tls-max", version), ca_file=ca)
                if speaks:
                    self.is_ready(simulator.taken()[-1])
                    continue
                self.assertEqual(simulator.requests(), [])
                self.assertIn("it speaks no TLS 1.2 or later", outcome.err)
                self.assertEqual(tries, 1)

    def test_every_kind_of_key(self):
        """OpenSSL is built with what TLS needs (packaging/libraries/openssl), and that must be in it: authority,
        server and client have a key of each kind that is met with."""
        for name, kind in (("rsa2048", ("rsa:2048",)),
                           ("rsa4096", ("rsa:4096",)),
                           ("pss", ("rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048")),
                           ("p384", ("ec", "-pkeyopt", "ec_paramgen_curve:secp384r1")),
                           ("p521", ("ec", "-pkeyopt", "ec_paramgen_curve:secp521r1")),
                           ("ed25519", ("ed25519",))):
            openssl(self.folder, "req", "-x509", "-newkey", *kind, "-nodes", "-keyout", f"{name}.key", "-out",
                    f"{name}.pem", "-days", "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=IP:127.0.0.1")
            for version in ("1.2", "1.3"):
                with self.subTest(f"{name}, TLS {version}"):
                    mine = self.file(name + ".pem")
                    simulator, _, _ = self.deliver(
                        name, 0, ("--tls-max", version, "--tls-client-ca", mine), ca_file=mine,
                        client_certificate=mine, client_key=self.file(name + ".key"))
                    self.is_ready(simulator.taken()[-1])

    def test_ciphers(self):
        """Those of TLS 1.2 that a server may insist on."""
        openssl(self.folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "rsa.key", "-out", "rsa.pem",
                "-days", "2", "-subj", "/CN=rsa", "-addext", "subjectAltName=IP:127.0.0.1")
        for cipher in ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305",
                       "ECDHE-RSA-AES128-SHA256", "AES128-GCM-SHA256"):
            with self.subTest(cipher):
                simulator, _, _ = self.deliver("rsa", 0, ("--tls-max", "1.2", "--tls-ciphers", cipher),
                                               ca_file=self.file("rsa.pem"))
                self.is_ready(simulator.taken()[-1])
        with self.subTest("none that we speak"):
            simulator, outcome, _ = self.deliver("rsa", 3, ("--tls-max", "1.2", "--tls-ciphers", "DHE-RSA-AES128-SHA"),
                                                 ca_file=self.file("rsa.pem"))
            self.assertEqual(simulator.requests(), [])
            self.assertIn("it takes none of our ciphers", outcome.err)

    def test_not_tls(self):
        plain = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(plain.close)

        def serve():
            while True:
                try:
                    client, _ = plain.accept()
                except OSError:
                    return
                client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                # Closed with a part of its greeting unread, it would be reset, and might never see the answer.
                with client, contextlib.suppress(OSError):
                    while client.recv(4096):
                        pass

        threading.Thread(target=serve, daemon=True).start()
        machine = self.machine(configuration(self.simulator(), report={"to": {"scaler": {
            "url": "https://127.0.0.1:%d" % plain.getsockname()[1]}}}))
        outcome = self.ends(machine.run("run"), 3)
        self.assertIn("it does not speak TLS", outcome.err)

    def test_proxy(self):
        """The endpoint is reached through it and metadata is not; a proxy that refuses is named."""
        proxy = ConnectProxy()
        self.addCleanup(proxy.close)
        simulator = self.simulator(options=("--tls-cert", self.file("right.pem"),
                                            "--tls-key", self.file("right.key")))
        for how in ("configured", "environment", "none"):
            with self.subTest(how):
                machine = self.machine(configuration(simulator, report={"to": {"scaler": {
                    "ca_file": self.file("ca.pem"),
                    "proxy": {"configured": proxy.url, "environment": None, "none": ""}[how]}}}))
                before = len(proxy.asked)
                env = {name: proxy.url for name in ("https_proxy", "http_proxy", "all_proxy")}
                self.ends(machine.run("run", env=None if how == "configured" else env), 0)
                self.is_ready(simulator.taken()[-1])
                wanted = set() if how == "none" else {"CONNECT " + simulator.endpoint[8:] + " HTTP/1.1"}
                self.assertEqual(set(proxy.asked[before:]), wanted)
        proxy.refuses = True
        machine = self.machine(configuration(simulator, report={"deadline": "8s", "to": {"scaler": {
            "ca_file": self.file("ca.pem"), "proxy": proxy.url}}}))
        outcome = self.ends(machine.run("run"), 3)
        self.assertIn("CONNECT tunnel failed, response 403", outcome.err)

    def test_identity_goes_where_it_is_asked_for_and_nowhere_else(self):
        ca = self.file("ca.pem")
        down = {"endpoint": [{"path": "down", "status": 403}]}
        simulator = self.simulator("whole_tree", down, options=("--tls-cert", self.file("right.pem"),
                                                          "--tls-key", self.file("right.key")))
        machine = self.machine(configuration(simulator, report={"to": {
            "scaler": {"ca_file": ca, "identity": True},
            "plain": {"type": "webhook", "url": simulator.endpoint + "/plain", "ca_file": ca, "proxy": ""},
            "down": {"type": "webhook", "url": simulator.endpoint + "/down", "ca_file": ca, "identity": True,
                     "proxy": ""},
            "file": {"type": "file", "path": "/run/report.json"}}}))
        outcome = self.ends(machine.run("run", "--log-level", "debug"), 0)
        signature = None
        for request in simulator.requests():
            self.assertEqual("identity" in request["json"], request["path"] != "/plain", request["path"])
            if request["path"] == "/plain":
                continue
            identity = request["json"]["identity"]
            self.assertEqual(sorted(identity), ["document", "rsa2048", "signature"])
            self.assertEqual(json.loads(identity["document"])["instanceId"], request["json"]["instance"]["id"])
            signature = identity["signature"]
        self.assertTrue(signature)
        for name, text in {**machine.all_text(), "out": outcome.out, "err": outcome.err,
                           "file": machine.read("/run/report.json")}.items():
            for secret in (identity["signature"], identity["rsa2048"]):
                self.assertNotIn(secret[:40], text, name)
        machine.write("/etc/muster/conf.d/1.json", {"report": {"to": {"down": {"url": simulator.endpoint + "/late"}}}})
        self.delivers(machine)  # read anew: it is in no file
        self.assertEqual(simulator.requests()[-1]["json"]["identity"]["signature"], signature)

    def test_identity_that_is_not_to_be_had(self):
        simulator = self.simulator({"metadata": [{"path": "dynamic/instance-identity/rsa2048", "status": 503}]},
                                   options=("--tls-cert", self.file("right.pem"),
                                            "--tls-key", self.file("right.key")))
        machine = self.machine(configuration(simulator, report={"to": {"scaler": {
            "ca_file": self.file("ca.pem"), "identity": True}}}))
        outcome = self.ends(machine.run("run"), 0)
        self.assertNotIn("identity", simulator.taken()[-1])
        self.assertIn("report without identity", outcome.err)


class ConnectProxy:
    """Makes tunnels, and knows what it was asked."""

    def __init__(self):
        self.asked = []
        self.refuses = False
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.tunnel, args=(client,), daemon=True).start()

    def tunnel(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(4096)
            if not piece:
                return
            head += piece
        line = head.split(b"\r\n")[0].decode()
        self.asked.append(line)
        if self.refuses or not line.startswith("CONNECT "):
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            client.close()
            return
        host, port = line.split()[1].rsplit(":", 1)
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=self.copy, args=(server, client), daemon=True).start()
        self.copy(client, server)

    @staticmethod
    def copy(source, target):
        try:
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.socket.close()


if __name__ == "__main__":
    unittest.main()
