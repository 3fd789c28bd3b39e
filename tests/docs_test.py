#!/usr/bin/python3
"""What the pages say of the code, against the code; links; examples that can be parsed."""

import glob
import json
import os
import re
import sys
import unittest

sys.dont_write_bytecode = True
SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(*path):
    with open(os.path.join(SOURCES, *path), encoding="utf-8") as file:
        return file.read()


class Docs(unittest.TestCase):
    def reasons(self):
        found = re.findall(r'Reason\{"([a-z-]+)", Recreate::(yes|no|without_data)\}', read("agent", "verdict.cpp"))
        self.assertGreater(len(found), 20)
        return {code: recreate != "no" for code, recreate in found}

    def test_each_reason_has_its_row_and_no_other_has_one(self):
        rows = re.findall(r"^\| `([a-z-]+)` \|", read("docs", "troubleshooting.md"), flags=re.M)
        self.assertEqual(sorted(rows), sorted(self.reasons()))
        # What gates nothing has a code, too.
        other = set(re.findall(r'"(config-[a-z-]+)"', read("agent", "run.cpp"))) - set(self.reasons())
        for code in other:
            self.assertIn("`%s`" % code, read("docs", "troubleshooting.md"))

    def test_whoever_is_not_to_be_replaced_is_not_told_to(self):
        for code, recreate in self.reasons().items():
            row = re.search(r"^\| `%s` \|.*\| ([^|]+) \|$" % code, read("docs", "troubleshooting.md"), flags=re.M)
            with self.subTest(code):
                self.assertEqual(row.group(1).startswith("a new instance"), recreate)

    def test_links_lead_somewhere(self):
        pages = [path for pattern in ("*.md", "docs/*.md", "packaging/*.md", "tests/**/*.md")
                 for path in glob.glob(os.path.join(SOURCES, pattern), recursive=True)]
        self.assertGreater(len(pages), 10)
        for page in pages:
            with open(page, encoding="utf-8") as file:
                for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read()):
                    with self.subTest(page=os.path.relpath(page, SOURCES), link=link):
                        self.assertTrue(os.path.exists(os.path.join(os.path.dirname(page), link)))

    def test_json_in_pages_and_examples(self):
        for block in re.findall(r"```json\n(.*?)```", read("docs", "fis.md"), flags=re.S):
            json.loads(block)
        policy = json.loads(read("packaging", "examples", "iam-policy.json"))
        for statement in policy["Statement"]:
            self.assertEqual(statement["Effect"], "Allow")
            self.assertNotIn("*", json.dumps(statement["Action"]))

    def test_terraform_and_packer_are_balanced(self):
        """No parser of HCL is in Debian; this finds what is cut off or closed twice."""
        for path in glob.glob(os.path.join(SOURCES, "packaging", "examples", "*.tf")) + glob.glob(
                os.path.join(SOURCES, "packaging", "examples", "*.hcl")):
            with self.subTest(os.path.basename(path)), open(path, encoding="utf-8") as file:
                text = re.sub(r'"(\\.|[^"\\])*"', '""', re.sub(r"#.*", "", file.read()))
                depth = 0
                for char in text:
                    depth += {"{": 1, "[": 1, "(": 1, "}": -1, "]": -1, ")": -1}.get(char, 0)
                    self.assertGreaterEqual(depth, 0)
                self.assertEqual(depth, 0)

    def test_the_hook_waits_longer_than_the_deadline(self):
        text = read("packaging", "examples", "autoscaling.tf")
        timeout = int(re.search(r"heartbeat_timeout\s*=\s*(\d+)", text).group(1))
        deadline = int(re.search(r'"deadline": "(\d+)s"', read("packaging", "examples", "muster.json")).group(1))
        self.assertGreater(timeout, deadline)
        self.assertIn('default_result = "ABANDON"', text)


if __name__ == "__main__":
    unittest.main()
