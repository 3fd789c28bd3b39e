#!/usr/bin/python3
"""The policy in docs/aws.md allows what the code calls, and nothing else."""

import glob
import json
import os
import re
import unittest

SOURCES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def text_of(path):
    with open(os.path.join(SOURCES, path), encoding="utf-8") as file:
        return file.read()


def policy():
    blocks = re.findall(r"```json\n(.*?)```", text_of("docs/aws.md"), re.DOTALL)
    document = json.loads(next(block for block in blocks if "2012-10-17" in block))
    actions = set()
    for statement in document["Statement"]:
        listed = statement["Action"]
        actions.update([listed] if isinstance(listed, str) else listed)
    return actions


def calls():
    """As they stand in the sources: aws::query(SERVICE, VERSION, ACTION, about(to, ACTION and
    .service = SERVICE, .action = ACTION."""
    text = "".join(text_of(path) for path in glob.glob("agent/**/*.cpp", root_dir=SOURCES,
                                                       recursive=True))
    found = set(re.findall(r'aws::query\(\s*"([a-z0-9]+)",\s*[^,]+,\s*"(\w+)"', text))
    found |= {("autoscaling", name) for name in re.findall(r'about\(to,\s*"(\w+)"', text)}
    found |= set(re.findall(r'\.service = "(\w+)",\s*\.action = "(\w+)"', text))
    return {f"{service}:{action}" for service, action in found}


class Policy(unittest.TestCase):
    def test_it_is_the_least(self):
        self.assertEqual(policy(), calls())
        self.assertEqual(len(calls()), 9)


if __name__ == "__main__":
    unittest.main()
