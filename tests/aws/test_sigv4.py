#!/usr/bin/python3
"""Our signer against botocore's: the same requests, signed at the same time, byte for byte.

    tests/aws/test_sigv4.py PROGRAM         PROGRAM is tests/aws/tool/sign.cpp, compiled
"""

import datetime
import json
import os
import random
import subprocess
import sys
import unittest
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from waiting import patience  # noqa: E402

SEED = int(os.environ.get("MUSTER_SEED", "20261125"))
COUNT = 3000 if os.environ.get("MUSTER_SOAK") else 400
PROGRAM = None

UNRESERVED = "abcXYZ019-._~"
ODD_TEXT = UNRESERVED + " \t!\"#$%&'()*+,/:;<=>?@[\\]^`{|}\u00e4\u20ac\U0001f600"
# What may stand in a url as it is sent; the rest is encoded there.
ODD_PATH = UNRESERVED + "!$&'()*+,;=:@"
ODD_QUERY = UNRESERVED + "!$'()*+,;:@/?"


def encoded(draw, text):
    """Some of it percent-encoded, in either case of letters."""
    return "".join(c if draw.random() < 0.8 else
                   "".join(draw.choice(("%%%02x", "%%%02X")) % byte for byte in c.encode())
                   for c in text)


def words(draw, alphabet, most):
    return "".join(draw.choice(alphabet) for _ in range(draw.randint(0, most)))


def random_url(draw):
    host = draw.choice(("autoscaling.eu-west-1.amazonaws.com", "localhost", "[::1]",
                        "vpce-0a1b.sqs.us-east-1.vpce.amazonaws.com", "127.0.0.1"))
    port = draw.choice(("", "", ":8443", ":80", ":443"))
    steps = [draw.choice((words(draw, ODD_PATH, 6), "", ".", ".."))
             for _ in range(draw.randint(0, 5))]
    path = encoded(draw, "/" + "/".join(steps)) if steps else draw.choice(("", "/"))
    path = "/" + path.lstrip("/") if path else path  # "//host" is another url
    query = encoded(draw, "&".join(
        draw.choice(("{}={}", "{}", "{}={}={}")).format(
            *(words(draw, ODD_QUERY, 5) for _ in range(3)))
        for _ in range(draw.choice((0, 0, 1, 2, 5)))))
    return draw.choice(("https", "http")) + "://" + host + port + path + (
        "?" + query if query else "")


def random_request(draw):
    headers = []
    if draw.random() < 0.7:
        headers.append(("Content-Type", draw.choice(
            ("application/x-www-form-urlencoded; charset=utf-8", "application/x-amz-json-1.1"))))
    for _ in range(draw.randint(0, 4)):
        name = draw.choice(("X-Amz-Target", "x-custom", "X-CUSTOM", "If-Match", "User-Agent", "b"))
        headers.append((name, words(draw, ODD_TEXT, 20)))
    return {
        "method": draw.choice(("POST", "GET", "PUT", "DELETE")),
        "url": random_url(draw), "headers": headers,
        "body": draw.choice(("", words(draw, ODD_TEXT, 200), "Action=X&Version=2011-01-01")),
        "region": draw.choice(("eu-west-1", "us-gov-west-1", "cn-north-1")),
        "service": draw.choice(("autoscaling", "ec2", "sqs", "events", "cloudformation")),
        "key": words(draw, "ABCDEFGHIJ234567", 20) or "A",
        "secret": words(draw, UNRESERVED + "/+", 200) or "s",
        "token": draw.choice(("", words(draw, UNRESERVED + "/+=", 900))),
        "time_ms": draw.randrange(0, 4102444800000)}  # to the year 2100


def botocore_signs(asked):
    request = AWSRequest(method=asked["method"], url=asked["url"], data=asked["body"].encode())
    for name, value in asked["headers"]:
        request.headers.add_header(name, value)
    request.context.update({})
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=asked["time_ms"])
    signer = botocore.auth.SigV4Auth(
        Credentials(asked["key"], asked["secret"], asked["token"] or None),
        asked["service"], asked["region"])
    seen = {}
    text_to_sign = signer.string_to_sign

    def string_to_sign(request, canonical_request):
        seen["canonical_request"] = canonical_request
        seen["string_to_sign"] = text_to_sign(request, canonical_request)
        return seen["string_to_sign"]

    signer.string_to_sign = string_to_sign
    with mock.patch.object(botocore.auth.datetime, "datetime", wraps=datetime.datetime) as clock:
        clock.utcnow.return_value = moment
        signer.add_auth(request)
    names = ["X-Amz-Date", *(["X-Amz-Security-Token"] if asked["token"] else []), "Authorization"]
    seen["headers"] = [[name, request.headers[name]] for name in names]
    return seen


class Signatures(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @classmethod
    def tearDownClass(cls):
        cls.process.stdin.close()
        cls.process.wait(patience())
        cls.process.stdout.close()

    def we_sign(self, asked):
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def test_random_requests(self):
        draw = random.Random(SEED)
        kinds = {"token": 0, "empty body": 0, "query": 0, "encoded path": 0}
        for number in range(COUNT):
            asked = random_request(draw)
            path, _, query = asked["url"].partition("?")
            kinds["token"] += bool(asked["token"])
            kinds["empty body"] += not asked["body"]
            kinds["query"] += bool(query)
            kinds["encoded path"] += "%" in path
            with self.subTest(number=number, seed=SEED, asked=asked):
                self.assertEqual(self.we_sign(asked), botocore_signs(asked))
        for kind, count in kinds.items():
            self.assertGreater(count, COUNT // 20, f"too few of {kind} to prove anything")

    def test_the_comparison_can_fail(self):
        asked = random_request(random.Random(SEED))
        ours = self.we_sign(asked)
        asked["secret"] += "x"
        self.assertNotEqual(ours, botocore_signs(asked))


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
