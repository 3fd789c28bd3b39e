"""A machine in AWS: the simulated cloud at the services' own names, over TLS of a private authority,
and metadata that gives a role's credentials."""

import atexit
import functools
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading

from case import Case
from machine import SOURCES, configuration, merged, own_address

for folder in ("simulator", "aws"):
    sys.path.insert(0, os.path.join(SOURCES, "tests", folder))

import wire  # noqa: E402
from cloud import NAMES, Cloud  # noqa: E402
from http_server import Service  # noqa: E402
from rules import Rules  # noqa: E402

INSTANCE = "i-0123456789abcdef0"
KEY, SECRET, TOKEN = "ASIAMUSTERTESTEXAMPLE", "s3cr3t/of+the/role", "t0ken-of-the-role=="
OLD_KEY, OLD_SECRET, OLD_TOKEN = "ASIAMUSTERTESTOLDONE", "0ld-s3cr3t/of/it", "0ld-t0ken-of-it=="
REGION_HOSTS = ("eu-west-1.amazonaws.com", "cn-north-1.amazonaws.com.cn")
MISSING_DISK = {"data": {"device": "/dev/sdz", "deadline": "2s"}}
# Of a report that can't be delivered: there is time for some tries.
SOON = {"report": {"deadline": "8s"}}

_lock = threading.Lock()


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@functools.lru_cache(None)
def _authority():
    """A folder with ca.pem, and aws.pem/aws.key for the services' names."""
    folder = tempfile.mkdtemp(prefix="muster-aws-")
    atexit.register(shutil.rmtree, folder)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(folder, "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=muster test authority")
    openssl(folder, "req", *curve, "-keyout", "aws.key", "-out", "aws.csr", "-subj", "/CN=aws")
    names = [*(f"DNS:*.{host}" for host in REGION_HOSTS),
             "DNS:vpce-0a1b-2c3d.autoscaling.eu-west-1.vpce.amazonaws.com"]
    with open(os.path.join(folder, "names"), "w", encoding="ascii") as file:
        file.write("subjectAltName=" + ",".join(names) + "\n")
    openssl(folder, "x509", "-req", "-in", "aws.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "aws.pem")
    return folder


def authority():
    with _lock:  # several tests run at a time, each in its own thread
        for name in NAMES:
            wire.model(name)  # takes long; a try of the agent's does not
        return _authority()


def role(key=KEY, secret=SECRET, token=TOKEN, lasts=21600):
    return {"iam": {"security-credentials": {"worker": {"$json": {
        "Code": "Success", "LastUpdated": "${now-60}", "Type": "AWS-HMAC", "AccessKeyId": key,
        "SecretAccessKey": secret, "Token": token, "Expiration": "${now+%d}" % lasts}}}}}


def tags(**more):
    return {"tags": {"instance": {"aws:autoscaling:groupName": "workers", **more}}}


class AwsCase(Case):
    def setUp(self):
        self.folder = authority()

    def cloud(self, rules=(), domain="amazonaws.com", region="eu-west-1"):
        cloud = Cloud(domain)
        cloud.region = region
        cloud.keys = {KEY: (SECRET, TOKEN), OLD_KEY: (OLD_SECRET, OLD_TOKEN)}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(os.path.join(self.folder, "aws.pem"),
                                os.path.join(self.folder, "aws.key"))
        cloud.address = own_address()
        cloud.socket = Service("aws", cloud.address, 443, cloud, Rules("aws", list(rules)),
                               tls=context)
        cloud.socket.start()
        self.addCleanup(cloud.socket.go_down, 3600)
        self.addCleanup(lambda: self.assertEqual(cloud.faults, []))
        return cloud

    def instance(self, cloud, sinks, script=None, trusted=True, **changes):
        """(simulator, machine) of an instance whose reports go to these sinks alone."""
        script = merged({"extends": "healthy", "instance": {**role(), **tags()}}, script or {})
        simulator = self.simulator(script)
        machine = self.machine(configuration(simulator, **merged(
            {"report": {"to": {"scaler": None, **sinks}}}, changes)))
        hosts = [f"{service}.{host}" for service in NAMES for host in REGION_HOSTS]
        hosts.append("vpce-0a1b-2c3d.autoscaling.eu-west-1.vpce.amazonaws.com")
        # These were links to the host's own.
        os.unlink(machine.path("/etc/hosts"))
        machine.write("/etc/hosts", "".join(f"{cloud.address} {host}\n" for host in hosts))
        if trusted:
            os.unlink(machine.path("/etc/ssl"))
            with open(os.path.join(self.folder, "ca.pem"), "rb") as file:
                machine.write("/etc/ssl/certs/ca-certificates.crt", file.read())
        return simulator, machine

    def muster(self, machine, status, *words, told=None):
        """`told`: what must be so before the verdict comes."""
        outcome = machine.run_until_told(told) if told else machine.run(*(words or ("run",)))
        self.ends(outcome, status)
        for secret in (SECRET, TOKEN, OLD_SECRET, OLD_TOKEN, KEY):
            for name, text in {"stdout": outcome.out, "stderr": outcome.err,
                               **machine.all_text()}.items():
                self.assertNotIn(secret, text, name)
        return outcome

    def late(self, machine):
        """What is left in the spool is sent."""
        return self.muster(machine, 0, "deliver", "--for", "100s")
