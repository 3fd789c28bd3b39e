"""The EC2 instance metadata service (IMDSv2), right in everything.

What goes wrong is the script's business (rules.py); here is only what AWS
documents: session tokens that really end, dated versions of the one tree,
listings without a newline at their end, an XHTML page for what is not there.
"""

import base64
import hashlib
import json
import os
import re
import threading
import time

from answer import Answer, error_answer
from script import merge

VERSIONS = ("1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15",
            "2008-02-01", "2008-09-01", "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12",
            "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02",
            "2018-03-28", "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03",
            "2021-03-23", "2021-07-15", "2022-07-09", "2022-09-24", "2024-04-11", "latest")
TOKEN = "X-aws-ec2-metadata-token"
TOKEN_TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TTL_MAX = 21600

# Keys of a script's "instance" that are not below meta-data/.
NOT_META_DATA = ("user-data", "identity", "dynamic")


def below_version(path):
    """What a rule's path is matched with: the same for every version."""
    version, _, rest = path.strip("/").partition("/")
    return rest if version in VERSIONS else path.strip("/")


class Tokens:
    """Session tokens. They end when their time is over, or sooner where the
    script says so (`token_lifetime`): a client must cope with that."""

    def __init__(self):
        self.lock = threading.Lock()
        self.ends = {}
        self.asked = 0
        self.issued = 0
        self.refused = 0

    def issue(self, seconds):
        token = "AQAE" + base64.urlsafe_b64encode(os.urandom(39)).decode("ascii")
        with self.lock:
            self.issued += 1
            self.ends[token] = time.monotonic() + seconds
        return token

    def seconds_left(self, token):
        """None: not a token of ours, or over."""
        with self.lock:
            left = self.ends.get(token, 0.0) - time.monotonic()
        return left if left > 0 else None

    def snapshot(self):
        with self.lock:
            return {"asked": self.asked, "issued": self.issued, "refused": self.refused}


class MetadataService:
    """The handler behind the metadata socket."""

    server_name = "EC2ws"

    def __init__(self, instance, options):
        self.instance = instance
        self.options = options
        self.tokens = Tokens()

    def respond(self, request, changes=None):
        if request.path.endswith("/api/token"):
            return self._token(request)
        if request.method not in ("GET", "HEAD"):
            return error_answer(405)
        token = request.header(TOKEN)
        headers = {}
        if token is None:
            if not self.options.get("imdsv1", False):
                return error_answer(401)
        else:
            left = self.tokens.seconds_left(token)
            if left is None:
                return error_answer(401)
            headers[TOKEN_TTL] = str(int(left))
        body = self._find(request, changes)
        if body is None:
            return error_answer(404, headers)
        return Answer(200, body, "text/plain", headers)

    def _token(self, request):
        if request.method != "PUT":
            return error_answer(405)
        with self.tokens.lock:
            self.tokens.asked += 1
        answer = self._token_checked(request)
        if answer.status != 200:
            with self.tokens.lock:
                self.tokens.refused += 1
        return answer

    def _token_checked(self, request):
        if request.path != "/latest/api/token":
            return error_answer(403)  # only `latest` has tokens
        if request.header("X-Forwarded-For") is not None:
            return error_answer(403)  # an open proxy in front of us
        text = request.header(TOKEN_TTL) or ""
        if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= TTL_MAX:
            return error_answer(400)
        lifetime = self.options.get("token_lifetime")
        token = self.tokens.issue(int(text) if lifetime is None else lifetime)
        return Answer(200, token, "text/plain", {TOKEN_TTL: text})

    def _find(self, request, changes):
        """The text at a path; None: there is none."""
        if request.path == "/":
            return "\n".join(VERSIONS)
        version, _, rest = request.path.strip("/").partition("/")
        if version not in VERSIONS:
            return None
        instance = merge(self.instance, changes) if changes else self.instance
        node = build_tree(instance)
        for name in filter(None, rest.split("/")):
            if not isinstance(node, dict) or name not in node or "$json" in node:
                return None
            node = node[name]
        if isinstance(node, dict) and "$json" not in node:
            return listing(node)
        # a value is no folder
        return None if request.is_folder else leaf(node)


def build_tree(instance):
    """The whole tree below a version."""
    meta_data = {key: value for key, value in instance.items() if key not in NOT_META_DATA}
    document = identity_document(instance)
    identity = {"document": document}
    for name in ("pkcs7", "rsa2048", "signature"):
        identity[name] = stand_in_signature(name, document)
    tree = {"dynamic": merge({"instance-identity": identity}, instance.get("dynamic", {})),
            "meta-data": meta_data}
    if "user-data" in instance:
        tree["user-data"] = instance["user-data"]
    return tree


def listing(node):
    """A folder: a name a line, folders with a slash, no newline at the end."""
    return "\n".join(name + "/" if isinstance(value, dict) and "$json" not in value else name
                     for name, value in sorted(node.items()))


def leaf(value):
    """A value: text as it stands; {"$json": ...} and lists as a JSON text, in
    which "${now+60}" is a time a minute from now."""
    if isinstance(value, dict):
        value = value["$json"]
    elif isinstance(value, str):
        return value
    text = json.dumps(value, indent=2, separators=(",", " : "))
    return re.sub(r"\$\{now([+-][0-9]+)?\}", lambda match: iso_time(int(match.group(1) or 0)), text)


def iso_time(offset=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + offset))


def identity_document(instance):
    """The instance identity document, pretty-printed as the service does it.
    `identity` in the script goes over what the tree says."""
    placement = instance.get("placement", {})
    document = {
        "accountId": "123456789012",
        "architecture": "x86_64",
        "availabilityZone": placement.get("availability-zone"),
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": instance.get("ami-id"),
        "instanceId": instance.get("instance-id"),
        "instanceType": instance.get("instance-type"),
        "kernelId": None,
        "pendingTime": "2026-01-15T09:30:02Z",
        "privateIp": instance.get("local-ipv4", "10.0.0.10"),
        "ramdiskId": None,
        "region": placement.get("region"),
        "version": "2017-09-30",
    }
    document.update(instance.get("identity", {}))
    return json.dumps(document, indent=2, separators=(",", " : "))


def stand_in_signature(name, document):
    """Base64 lines of the right shape, different for each document. Nothing
    verifies them: a test that does sets dynamic.instance-identity itself."""
    size = {"signature": 128, "rsa2048": 1100, "pkcs7": 800}[name]
    seed = hashlib.sha256((name + document).encode("utf-8")).digest()
    noise = b"".join(hashlib.sha256(seed + bytes([n])).digest() for n in range(size // 32 + 1))
    text = base64.b64encode(noise[:size]).decode("ascii")
    return "\n".join(text[start:start + 76] for start in range(0, len(text), 76))
