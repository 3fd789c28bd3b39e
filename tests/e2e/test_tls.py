"""https to an endpoint with a certificate of a private authority, made here."""

import os
import shutil
import subprocess
import tempfile
import unittest

from case import Case
from machine import configuration, only


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


class Tls(Case):
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
        openssl(folder, "x509", "-req", "-in", "client.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "2", "-out", "client.pem")

    def file(self, name):
        return os.path.join(self.folder, name)

    def deliver(self, certificate, status, options=(), **sink):
        simulator = self.simulator("healthy", options=(
            "--tls-cert", self.file(certificate + ".pem"),
            "--tls-key", self.file(certificate + ".key"), *options))
        machine = self.machine(configuration(simulator, report={
            "deadline": "2s", "to": {"scaler": sink}}))
        outcome = self.ends(machine.run("run"), status)
        tries = only(machine.read_json("/run/muster/status.json")["deliveries"])["tries"]
        return simulator, outcome, tries

    def test_all(self):
        ca = self.file("ca.pem")
        with self.subTest("right"):
            simulator, _, _ = self.deliver("right", 0, ca_file=ca)
            self.is_ready(simulator.taken()[-1])
        for name, certificate, sink, message in (
                ("the system's authorities", "right", {}, "certificate"),
                ("another authority", "right", {"ca_file": self.file("other-ca.pem")},
                 "certificate"),
                ("another's name", "wrong-name", {"ca_file": ca}, "127.0.0.1"),
                ("expired", "expired", {"ca_file": ca}, "expired"),
                ("no such file", "right", {"ca_file": self.file("none.pem")}, "none.pem")):
            with self.subTest(name):
                simulator, outcome, tries = self.deliver(certificate, 3, **sink)
                self.assertEqual(simulator.requests(), [])
                self.assertIn("not delivered", outcome.err)
                self.assertIn(message, outcome.err)
                self.assertEqual(tries, 1, "no use in trying again")
        with self.subTest("a client certificate is demanded"):
            demand = ("--tls-client-ca", ca)
            simulator, _, _ = self.deliver("right", 3, demand, ca_file=ca)
            self.assertEqual(simulator.requests(), [])
            simulator, _, _ = self.deliver(
                "right", 0, demand, ca_file=ca, client_certificate=self.file("client.pem"),
                client_key=self.file("client.key"))
            self.is_ready(simulator.taken()[-1])


if __name__ == "__main__":
    unittest.main()
