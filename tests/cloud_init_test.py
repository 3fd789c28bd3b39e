#!/usr/bin/python3
"""cc_muster with the distribution's real cloud-init: what it writes, and how it is found and called.

Needs root: `cloud-init single` reads /run and /var/lib, which are its own here.
"""

import datetime
import email
import importlib.util
import json
import os
import stat
import subprocess
import sys
import tempfile
import unittest

import jsonschema
import yaml
from waiting import patience

sys.dont_write_bytecode = True
SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(SOURCES, "cloud-init")
EXAMPLES = os.path.join(FOLDER, "examples")
BINARY = os.environ.get("MUSTER_BINARY", os.path.join(SOURCES, "build", "muster"))


def load_module():
    spec = importlib.util.spec_from_file_location("cc_muster", os.path.join(FOLDER, "cc_muster.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Module(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.module = load_module()
        self.module.TARGET = os.path.join(self.folder.name, "conf.d", "50-cloud-init.json")
        self.module.SCHEMA = os.path.join(SOURCES, "docs", "config.schema.json")

    def written(self):
        with open(self.module.TARGET, encoding="utf-8") as file:
            return file.read()

    def test_what_it_is_given_it_writes_for_root_only(self):
        config = {"mode": "observe", "ebs": {"data": {"device": "/dev/sdf"}}}
        self.module.handle("muster", {"muster": config, "users": []}, None, None, [])
        self.assertEqual(json.loads(self.written()), config)
        self.assertEqual(stat.S_IMODE(os.stat(self.module.TARGET).st_mode), 0o600)
        self.assertEqual(os.listdir(os.path.dirname(self.module.TARGET)), ["50-cloud-init.json"])

    def test_it_is_called_as_cloud_init_does_then_and_now(self):
        self.module.handle("muster", {"muster": {"mode": "enforce"}}, object(), object(), [])
        before = self.written()
        self.module.handle(name="muster", cfg={"muster": {"mode": "observe"}}, cloud=object(), args=[])
        self.assertNotEqual(before, self.written())
        # Five parameters would mean that it wants a log, which 23.2 and later call out of date.
        self.assertEqual(self.module.handle.__code__.co_argcount + 2, 4)

    def test_what_is_wrong_is_written_too(self):
        for wrong in ("text", ["list"], None, 7, {"mdoe": "observe"}, {"mode": 3}):
            with self.subTest(wrong):
                with self.assertLogs(level="WARNING"):
                    self.module.handle("muster", {"muster": wrong}, None, [])
                self.assertEqual(json.loads(self.written()), wrong)

    def test_what_json_has_not_is_a_text(self):
        for value in (datetime.date(2026, 11, 25), b"bytes"):
            self.module.handle("muster", {"muster": {"deadline": value}}, None, [])
            self.assertEqual(json.loads(self.written()), {"deadline": str(value)})
        self.module.handle("muster", {"muster": {1: float("nan")}}, None, [])
        self.assertIn("NaN", self.written())

    def test_what_is_right_is_not_warned_of(self):
        with self.assertNoLogs(level="WARNING"):
            self.module.handle("muster", {"muster": {"ephemeral": {"expect": 1}}}, None, [])

    def test_without_the_key_nothing_is_left_of_another_boot(self):
        self.module.handle("muster", {}, None, [])
        self.assertFalse(os.path.exists(os.path.dirname(self.module.TARGET)))
        self.module.handle("muster", {"muster": {}}, None, [])
        self.module.handle("muster", {"other": {}}, None, [])
        self.assertFalse(os.path.exists(self.module.TARGET))

    def test_without_a_schema_it_goes_on(self):
        self.module.SCHEMA = "/nonexistent"
        self.module.handle("muster", {"muster": {"mode": 3}}, None, [])
        self.assertEqual(json.loads(self.written()), {"mode": 3})

    def test_cloud_init_takes_it_for_a_module(self):
        from cloudinit.config import modules, schema
        modules.validate_module(self.module, "muster")
        self.assertEqual(self.module.meta["frequency"], "always")
        self.assertTrue(hasattr(schema, "validate_cloudconfig_schema"))


# A machine whose cloud-init has found its instance: no cloud, and the user-data in a file. cloud-init is there to
# change machines: but for what is its own here everything is read-only, and none of its modules are run.
SET_UP = """
set -e
for mount in $(awk '{ print $5 }' /proc/self/mountinfo); do
    case $mount in /proc* | /sys* | /dev*) ;; *) mount -o remount,bind,ro "$mount" 2>/dev/null || : ;; esac
done
for folder in /run /var/lib /var/log /etc/systemd/network /etc/netplan /etc/network; do
    [ ! -d $folder ] || mount -t tmpfs -o mode=0755 tmpfs $folder
done
if touch /etc/.written /root/.written /tmp/.written 2>/dev/null; then echo "this machine can be written"; exit 1; fi
mkdir -p /var/lib/cloud/seed/nocloud-net /run/tmp
export TMPDIR=/run/tmp
echo 'instance-id: i-0123456789abcdef0' >/var/lib/cloud/seed/nocloud-net/meta-data
cat >/var/lib/cloud/seed/nocloud-net/user-data
cat >/run/only.cfg <<'END'
datasource_list: [NoCloud]
network: {config: disabled}
cloud_init_modules: []
END
cloud-init --file /run/only.cfg init --local >/run/log 2>&1 || { cat /run/log; exit 1; }
cloud-init --file /run/only.cfg init >>/run/log 2>&1 || { cat /run/log; exit 1; }
test -e /run/cloud-init/.instance-id
rm -rf /run/muster
PYTHONPATH="$1" PYTHONDONTWRITEBYTECODE=1 cloud-init single --name muster --frequency always >>/run/log 2>&1 || { cat /run/log; exit 1; }
grep -i 'warn.*muster' /var/log/cloud-init.log >&2 || :
cat /run/muster/conf.d/*.json
"""


class RealCloudInit(unittest.TestCase):
    def result(self, user_data):
        done = subprocess.run(
            ["unshare", "--mount", "--net", "--uts", "--propagation", "private", "/bin/sh", "-c", SET_UP, "sh", FOLDER],
            input=user_data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
            timeout=patience(300))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def example(self, name):
        with open(os.path.join(EXAMPLES, name), encoding="utf-8") as file:
            return file.read()

    def test_the_examples_reach_muster(self):
        wanted = yaml.safe_load(self.example("muster.yaml"))["muster"]
        self.assertEqual(self.result(self.example("muster.yaml")), wanted)
        self.assertEqual(self.result(self.example("multi-part.mime"))["ephemeral"], {"expect": 1})

    def test_bootcmd_reaches_it_without_the_module(self):
        # cloud-init runs bootcmd itself; here, as it does.
        for command in yaml.safe_load(self.example("bootcmd.yaml"))["bootcmd"]:
            self.assertIsInstance(command, list)
        script = yaml.safe_load(self.example("bootcmd.yaml"))["bootcmd"][1][2]
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["sh", "-c", script.replace("/run/muster/conf.d", folder)], check=True)
            with open(os.path.join(folder, "50-user-data.json"), encoding="utf-8") as file:
                config = json.load(file)
            self.assertEqual(os.listdir(folder), ["50-user-data.json"])
        self.assertEqual(config, yaml.safe_load(self.example("muster.yaml"))["muster"])


class Examples(unittest.TestCase):
    """All of them through `cloud-init schema`, and what they configure through `muster config`."""

    def parts(self, name):
        path = os.path.join(EXAMPLES, name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if not name.endswith(".mime"):
            return [text]
        return [part.get_payload() for part in email.message_from_string(text).get_payload()
                if part.get_content_type() == "text/cloud-config"]

    def test_cloud_init_schema(self):
        for name in sorted(os.listdir(EXAMPLES)):
            for part in self.parts(name):
                with self.subTest(name), tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                    config = yaml.safe_load(part)
                    # Ours is the one key that cloud-init's schema does not know.
                    config.pop("muster", None)
                    if not config:
                        continue
                    file.write("#cloud-config\n" + yaml.safe_dump(config))
                    file.flush()
                    done = subprocess.run(["cloud-init", "schema", "--config-file", file.name],
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
                    self.assertEqual(done.returncode, 0, done.stdout)
                    self.assertIn("Valid", done.stdout)

    def test_muster_config(self):
        found = []
        for name in sorted(os.listdir(EXAMPLES)):
            for part in self.parts(name):
                config = yaml.safe_load(part)
                if "muster" in config:
                    found.append((name, json.dumps(config["muster"])))
                for file in config.get("write_files", []):
                    found.append((name, file["content"]))
        self.assertEqual(len(found), 3)
        with open(os.path.join(SOURCES, "docs", "config.schema.json"), encoding="utf-8") as file:
            schema = json.load(file)
        for name, text in found:
            with self.subTest(name), tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                jsonschema.Draft7Validator(schema).validate(json.loads(text))
                file.write(text)
                file.flush()
                done = subprocess.run([BINARY, "config", "--config", file.name], stdout=subprocess.PIPE,
                                      text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
