"""The example of a receiver (tests/simulator/receiver.py, docs/receiver.md): who may be replaced, and whom to
believe."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from case import Case, waits
from machine import SOURCES, configuration, only, wait_for
from test_tls import WithAuthority, openssl

sys.path.insert(0, os.path.join(SOURCES, "tests", "simulator"))
from receiver import Forged, Identities, Receiver, seconds_of  # noqa: E402


def report(instance, outcome="failed", sequence=2, boot="b1", zone="z1", **more):
    return {"outcome": outcome, "recreate": outcome == "failed", "enforced": True, "boot_id": boot,
            "sequence": sequence, "instance": {"id": instance, "zone": zone},
            "reason": {"code": "ebs-stuck"}, **more}


class Decisions(unittest.TestCase):
    def setUp(self):
        self.time = 1000.0
        self.acts = []
        self.number = 0
        self.receiver = Receiver(lambda who, why: self.acts.append((who, why)), most=2, window=600,
                                 first_word=300, now=lambda: self.time)

    def take(self, *args, **more):
        self.number += 1
        return self.receiver.take(report(*args, **more), str(self.number))

    def test_failed_is_replaced_once(self):
        self.take("i-1")
        self.receiver.take(report("i-1"), "1")  # the same, sent again
        self.take("i-1", sequence=1)
        self.assertEqual(self.acts, [("i-1", "ebs-stuck")])

    def test_what_never_replaces(self):
        self.take("i-1", recreate=False)
        self.take("i-2", enforced=False)
        self.take("i-3", superseded=True)
        self.take("i-4", outcome="degraded", recreate=True)
        self.take("i-5", outcome="ready")
        self.take(None)
        self.assertEqual(self.acts, [])

    def test_brake_by_zone_and_window(self):
        for number in range(5):
            self.take(f"i-{number}")
        self.take("i-9", zone="z2")
        self.assertEqual([who for who, _ in self.acts], ["i-0", "i-1", "i-9"])
        self.take("i-3", outcome="ready", sequence=3)  # it came to its senses meanwhile
        self.time += 599
        self.receiver.tick()
        self.assertEqual(len(self.acts), 3)
        self.time += 1
        self.receiver.tick()
        self.assertEqual([who for who, _ in self.acts[3:]], ["i-2", "i-4"])

    def test_silence(self):
        self.receiver.launched("i-1", "z1")
        self.receiver.launched("i-2", "z1")
        self.take("i-2", outcome="in-progress", sequence=1, verdict_by="1970-01-01T00:25:00.000Z")
        self.receiver.launched("i-3", "z1")
        self.take("i-3", outcome="ready")
        self.time += 299
        self.receiver.tick()
        self.assertEqual(self.acts, [])
        self.time += 1
        self.receiver.tick()
        self.assertEqual(self.acts, [("i-1", "silent")])
        self.time = 1500
        self.receiver.tick()
        self.assertEqual(self.acts[1:], [("i-2", "silent")])

    def test_time(self):
        self.assertEqual(seconds_of("2026-11-21T20:01:02.345Z"), 1795291262.345)
        self.assertEqual(seconds_of("2026-11-21T20:01:02Z"), 1795291262)


class WholeWay(Case):
    @waits(20)
    def test_brake_and_silence(self):
        """The real agent and the simulator as a receiver."""
        simulator = self.simulator("healthy", options=(
            "--receiver", json.dumps({"most": 1, "window": 600, "first_word": 60})))
        machine = self.machine(configuration(simulator, checks={
            "bad": {"command": ["/bin/false"], "recreate": True}}))
        self.ends(machine.run("run"), 1)
        decision = only(simulator.state()["endpoint"]["decisions"])
        self.assertEqual(decision["why"], "check-failed")
        self.assertEqual(decision["recreate"], simulator.taken()[-1]["instance"]["id"])
        # Another one of the zone dies without a verdict: the brake holds it back.
        other = "i-0fedcba9876543210"
        simulator.swap({"instance": {"instance-id": other}})
        machine.write("/etc/muster/conf.d/1.json", {"deadline": "20s", "report": {"deadline": "1s"}})
        with machine.disks_in_use():
            process = machine.start("run")
            wait_for(lambda: any(one["instance"].get("id") == other for one in simulator.taken()))
            process.kill()
        machine.end(process)
        wait_for(lambda: simulator.state()["endpoint"]["held_back"] == {other: "silent"})
        only(simulator.state()["endpoint"]["decisions"])


class Identity(WithAuthority):
    """A document signed with a key of the test's own, as EC2 signs it with the region's."""

    ACCOUNT = "123456789012"

    def setUp(self):
        super().setUp()
        for name in ("region", "region-base64", "forger"):
            openssl(self.folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out",
                    f"{name}-signs.pem", "-days", "2", "-subj", f"/CN={name}")

    def sign(self, document, signer, with_certificate=False):
        """rsa2048 and signature, as the service has them: base64 without armour."""
        with open(self.file("document"), "wb") as file:
            file.write(document)
        openssl(self.folder, "smime", "-sign", "-in", "document", "-binary", "-nodetach", "-outform", "DER", "-md",
                "sha256", "-signer", f"{signer}-signs.pem", "-inkey", f"{signer}.key", "-out", "signed",
                *(() if with_certificate else ("-nocerts",)))
        # EC2 makes this one with another key, and publishes another certificate for it.
        openssl(self.folder, "dgst", "-sha256", "-sign", "region-base64.key", "-out", "signature", "document")
        texts = []
        for name in ("signed", "signature"):
            done = subprocess.run(["openssl", "base64", "-in", name], cwd=self.folder, check=True, capture_output=True)
            texts.append(done.stdout.decode().rstrip("\n"))
        return texts

    def identities(self, **more):
        return Identities(self.file("region-signs.pem"), {self.ACCOUNT}, **more)

    def reported(self, pending=None, signer="region", with_certificate=False, instance="i-0123456789abcdef0",
                 account=ACCOUNT):
        """A report as the real agent sends it."""
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(pending or time.time()))
        document = json.dumps({"accountId": account, "instanceId": instance, "instanceType": "m5.large",
                               "imageId": "ami-1", "region": "eu-west-1", "availabilityZone": "eu-west-1a",
                               "pendingTime": made}, indent=2).encode()
        rsa2048, signature = self.sign(document, signer, with_certificate)
        simulator = self.simulator("healthy", {"instance": {"dynamic": {"instance-identity": {
            "document": document.decode(), "rsa2048": rsa2048, "signature": signature}},
            "instance-id": instance}}, options=(
                "--tls-cert", self.file("right.pem"), "--tls-key", self.file("right.key")))
        machine = self.machine(configuration(simulator, report={"to": {"scaler": {
            "ca_file": self.file("ca.pem"), "identity": True}}}))
        self.ends(machine.run("run"), 0)
        return simulator.taken()[-1]

    def refused(self, identities, taken, why):
        with self.assertRaises(Forged) as caught:
            identities.check(taken)
        self.assertIn(why, str(caught.exception))

    def test_proved_and_bound(self):
        identities = self.identities()
        taken = self.reported()
        self.assertEqual(identities.check(taken)["instanceId"], taken["instance"]["id"])
        identities.check(taken)  # the verdict, after in-progress
        self.refused(identities, {**taken, "identity": None}, "no identity")
        other = {**taken, "instance": {"id": "i-another"}}
        self.refused(identities, other, "another instance's")
        changed = {**taken, "identity": {**taken["identity"], "document": "{}"}}
        self.refused(identities, changed, "of another document")
        self.refused(Identities(self.file("region-signs.pem"), {"000000000000"}), taken, "may not report")
        late = self.identities(now=lambda: time.time() + 7200)
        self.refused(late, taken, "too late")
        after_restart = self.reported(pending=time.time() + 60)
        identities.check(after_restart)
        self.refused(identities, taken, "before a stop and start")

    def test_forged(self):
        """With the forger's own certificate in the signature: the command in EC2's User Guide believes it."""
        taken = self.reported(signer="forger", with_certificate=True)
        self.refused(self.identities(), taken, "")
        with open(self.file("pkcs7"), "w", encoding="ascii") as file:
            base64 = taken["identity"]["rsa2048"]
            lines = "\n".join(base64[at:at + 64] for at in range(0, len(base64), 64))
            file.write(f"-----BEGIN PKCS7-----\n{lines}\n-----END PKCS7-----\n")
        without = subprocess.run(["openssl", "smime", "-verify", "-in", self.file("pkcs7"), "-inform", "PEM",
                                  "-certfile", self.file("region-signs.pem"), "-noverify"],
                                 capture_output=True, check=False)
        self.assertEqual(without.returncode, 0, "then docs/receiver.md need not insist on -nointern")

    def test_the_commands_of_the_docs(self):
        """docs/receiver.md, as they stand there."""
        taken = self.reported()
        folder = tempfile.mkdtemp(prefix="muster-docs-")
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "report.json"), "w", encoding="utf-8") as file:
            json.dump(taken, file)
        shutil.copy(self.file("region-signs.pem"), os.path.join(folder, "certificate.pem"))
        shutil.copy(self.file("region-base64-signs.pem"), os.path.join(folder, "rsa.pem"))
        with open(os.path.join(SOURCES, "docs", "receiver.md"), encoding="utf-8") as file:
            commands = file.read().split("```sh\n")[1].split("```")[0]
        done = subprocess.run(["/bin/sh", "-eu", "-c", commands], cwd=folder, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"Verification successful", done.stdout + done.stderr)
        self.assertIn(b"Verified OK", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
