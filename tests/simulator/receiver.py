"""What a scaler does with reports: an example to start from (docs/receiver.md).

It decides and does nothing itself: `act(instance, why)` is called for an instance that is to be replaced.
"""

import calendar
import collections
import json
import os
import re
import subprocess
import tempfile
import time


class Brake:
    """At most so many recreations in a zone and window: a fleet must not condemn itself. In 2011 a scaler
    whose zone had stuck volumes ended every worker that it had."""

    def __init__(self, most, window):
        self.most, self.window = most, window
        self.past = collections.defaultdict(collections.deque)

    def allows(self, zone, now):
        past = self.past[zone]
        while past and now - past[0] >= self.window:
            past.popleft()
        if len(past) >= self.most:
            return False
        past.append(now)
        return True


class Instance:
    def __init__(self, zone, silence_at):
        self.zone = zone
        self.silence_at = silence_at  # silent until then means dead; None: nothing is expected of it
        self.boot_id = None
        self.sequence = -1
        self.wanted = None            # why it is to be replaced, as soon as the brake allows it


class Receiver:
    def __init__(self, act, most=2, window=600.0, first_word=300.0, now=time.time):
        self.act, self.now, self.first_word = act, now, first_word
        self.brake = Brake(most, window)
        self.instances = {}
        self.keys = collections.OrderedDict()  # of a store with an expiry, in a real one

    def launched(self, instance_id, zone):
        """The scaler has asked for it: from here on its silence counts."""
        self.instances[instance_id] = Instance(zone, self.now() + self.first_word)

    def gone(self, instance_id):
        self.instances.pop(instance_id, None)

    def take(self, report, key):
        """What came of a report: a word for the log. Every answer is 2xx: it was received."""
        if key in self.keys:
            return "seen before"
        self.keys[key] = True
        while len(self.keys) > 100_000:
            self.keys.popitem(last=False)
        instance_id = report["instance"].get("id")
        if not instance_id:
            return "recorded: it does not know who it is"
        if report.get("superseded") or report["outcome"] in ("notice", "stopping", "test"):
            return "recorded"
        instance = self.instances.setdefault(instance_id, Instance(report["instance"].get("zone", ""), None))
        if report["boot_id"] == instance.boot_id and report["sequence"] <= instance.sequence:
            return "recorded: older than what is known"
        instance.boot_id, instance.sequence = report["boot_id"], report["sequence"]
        return self._judge(report, instance)

    def _judge(self, report, instance):
        outcome = report["outcome"]
        if outcome == "in-progress":
            instance.silence_at = seconds_of(report["verdict_by"])
            return "recorded: a verdict is due"
        if outcome in ("degraded", "recovered"):
            return "recorded"             # a volume that is stuck comes unstuck: never a reason to recreate
        instance.silence_at = None
        if outcome == "failed" and report["recreate"] and report["enforced"]:
            instance.wanted = report["reason"]["code"]
            self.tick()
            return "recorded" if instance.wanted is None else "held back"
        instance.wanted = None            # ready, or nothing that another machine would do better
        return "recorded"

    def tick(self):
        """To be called every few seconds: who is silent, and who may go now."""
        now = self.now()
        for instance_id, instance in list(self.instances.items()):
            if instance.silence_at is not None and now >= instance.silence_at:
                instance.silence_at = None
                instance.wanted = "silent"
            if instance.wanted and self.brake.allows(instance.zone, now):
                why, instance.wanted = instance.wanted, None
                self.act(instance_id, why)


def seconds_of(text):
    """"2026-11-21T20:01:02.345Z" since the epoch."""
    whole, _, rest = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (rest or "0"))


class Forged(Exception):
    pass


class Identities:
    """Who reports: proved by the identity document, and bound so that a replayed one is of no use."""

    def __init__(self, certificate, accounts, fresh=3600.0, now=time.time):
        self.certificate = certificate  # PEM file of the region, from the EC2 User Guide: "AWS public certificates"
        self.accounts = accounts        # those whose instances may report
        self.fresh, self.now = fresh, now
        self.pending = {}               # instance -> its newest pendingTime

    def check(self, report):
        """Raises Forged; otherwise the document, verified."""
        identity = report.get("identity")
        if not identity:
            raise Forged("no identity")
        text = verified(identity["rsa2048"], self.certificate)
        if text != identity["document"].encode():
            raise Forged("the signature is of another document")
        document = json.loads(text)
        if document["instanceId"] != report["instance"].get("id"):
            raise Forged("the document is another instance's")
        if document["accountId"] not in self.accounts:
            raise Forged(f"account {document['accountId']} may not report")
        self._bind(document)
        return document

    def _bind(self, document):
        """The document has no nonce and holds until the instance is stopped. So its first use must come soon
        after it was made, and one that is older than what this instance has shown since is a replay."""
        made = seconds_of(document["pendingTime"])
        known = self.pending.get(document["instanceId"])
        if known is None and self.now() - made > self.fresh:
            raise Forged("its first use comes too late")
        if known is not None and made < known:
            raise Forged("it is of before a stop and start")
        self.pending[document["instanceId"]] = made


def verified(rsa2048, certificate):
    """The document in a PKCS #7 signature. `-nointern` matters: without it openssl believes whatever
    certificate the sender has put into the signature."""
    if not re.fullmatch(r"[A-Za-z0-9+/=\s]{1,8192}", rsa2048):
        raise Forged("no base64")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rsa2048")
        with open(path, "w", encoding="ascii") as file:
            lines = "\n".join(re.findall(".{1,64}", rsa2048.replace("\n", "")))
            file.write(f"-----BEGIN PKCS7-----\n{lines}\n-----END PKCS7-----\n")
        done = subprocess.run(["openssl", "smime", "-verify", "-in", path, "-inform", "PEM", "-certfile", certificate,
                               "-nointern", "-noverify"], stdin=subprocess.DEVNULL, capture_output=True,
                              check=False, timeout=10)
    if done.returncode != 0:
        raise Forged(done.stderr.decode(errors="replace").splitlines()[0] if done.stderr else "not verified")
    return done.stdout
