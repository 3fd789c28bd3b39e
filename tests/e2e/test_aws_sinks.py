"""The other sinks of AWS, where they are, and `muster deliver --test`."""

import json
import os
import re
import shutil
import tempfile
import time
import unittest

import test_root
from aws_case import INSTANCE, KEY, MISSING_DISK, SOON, AwsCase
from case import waits
from machine import only

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/reports"


class Tags(AwsCase):
    SINK = {"tags": {"type": "ec2-tags", "required": True}}

    def known(self, **changes):
        cloud = self.cloud()
        cloud.ec2.tags[INSTANCE] = {"Name": "worker"}
        _, machine = self.instance(cloud, self.SINK, **changes)
        return cloud, machine

    def test_ready_after_failed(self):
        cloud, machine = self.known(ebs=MISSING_DISK)
        # The connection is made before the verdict.
        self.muster(machine, 1, told=lambda: cloud.plain)
        report = machine.read_json("/run/muster/report.json")
        self.assertEqual(cloud.ec2.tags[INSTANCE],
                         {"Name": "worker", "muster:outcome": "failed",
                          "muster:reason": "ebs-missing", "muster:time": report["time"]})
        machine.write("/etc/muster/conf.d/10.json", {"ebs": {"data": None}})
        self.muster(machine, 0)
        report = machine.read_json("/run/muster/report.json")
        self.assertEqual(cloud.ec2.tags[INSTANCE],
                         {"Name": "worker", "muster:outcome": "ready", "muster:reason": "",
                          "muster:time": report["time"]})
        self.assertEqual(cloud.asked(), ["ec2:CreateTags"] * 2)

    @waits(7)
    def test_an_instance_that_is_not_known_yet(self):
        """Past the report's deadline, through the spool: late, but tags condemn nobody."""
        cloud = self.cloud()
        _, machine = self.instance(cloud, self.SINK, ebs=MISSING_DISK, **SOON)
        outcome = self.muster(machine, 4)
        self.assertIn("InvalidInstanceID.NotFound", outcome.err)
        self.assertGreater(only(machine.read_json("/run/muster/status.json")["deliveries"])
                           ["tries"], 2)
        cloud.ec2.tags[INSTANCE] = {}
        self.late(machine)
        self.assertEqual(cloud.ec2.tags[INSTANCE]["muster:outcome"], "failed")

    @waits(3)
    def test_errors_of_ec2(self):
        cloud, machine = self.known()
        cloud.denied = {"ec2:CreateTags"}
        outcome = self.muster(machine, 3)
        self.assertIn(f"the instance's role needs ec2:CreateTags on the instance {INSTANCE}",
                      outcome.err)
        cloud, machine = self.known()
        cloud.unknown[KEY] = 2  # AuthFailure
        cloud.failing["ec2:CreateTags"] = [("RequestLimitExceeded", 503)]
        self.muster(machine, 0)
        cloud, machine = self.known()
        cloud.skew = -7200  # RequestExpired
        self.muster(machine, 0)
        self.assertEqual(cloud.ec2.tags[INSTANCE]["muster:outcome"], "ready")


class Stacks(AwsCase):
    SINK = {"stack": {"type": "cloudformation", "required": True}}
    BY_TAG = {"instance": {"tags": {"instance": {"aws:cloudformation:stack-name": "fleet",
                                                 "aws:cloudformation:logical-id": "Workers"}}}}

    def stack(self, status="CREATE_IN_PROGRESS", sink=None, **changes):
        cloud = self.cloud()
        cloud.cloudformation.stacks["fleet"] = {"status": status, "resources": {"Workers": {}}}
        _, machine = self.instance(cloud, {"stack": {**self.SINK["stack"], **(sink or {})}},
                                   **changes)
        return cloud, cloud.cloudformation.stacks["fleet"]["resources"]["Workers"], machine

    def test_signals(self):
        for name, sink, script in (
                ("configured", {"stack": "fleet", "resource": "Workers"}, None),
                ("by its tags", {}, self.BY_TAG)):
            with self.subTest(name):
                _, signals, machine = self.stack(sink=sink, script=script)
                self.muster(machine, 0)
                self.assertEqual(signals, {INSTANCE: "SUCCESS"})
        for name, changes, signal in (("failed", {}, {INSTANCE: "FAILURE"}),
                                      ("observed", {"mode": "observe"}, {INSTANCE: "SUCCESS"})):
            with self.subTest(name):
                _, signals, machine = self.stack(script=self.BY_TAG, ebs=MISSING_DISK, **changes)
                self.muster(machine, 1)
                self.assertEqual(signals, signal)

    def test_it_does_not_wait_any_more(self):
        for name, status, before in (("complete", "UPDATE_COMPLETE", {}),
                                     ("signalled", "UPDATE_IN_PROGRESS", {INSTANCE: "SUCCESS"})):
            with self.subTest(name):
                _, signals, machine = self.stack(status, script=self.BY_TAG)
                signals.update(before)
                outcome = self.muster(machine, 0)
                self.assertIn("nothing is done", outcome.err)
                self.assertEqual(signals, before)

    @waits(7)
    def test_mistakes(self):
        _, _, machine = self.stack(**SOON)
        outcome = self.muster(machine, 3)
        self.assertIn("report.to.stack.stack is not set, and metadata has no tag "
                      "aws:cloudformation:stack-name", outcome.err)
        _, _, machine = self.stack(sink={"stack": "fleet", "resource": "Wrokers"})
        outcome = self.muster(machine, 3)
        self.assertIn("Resource Wrokers does not exist", outcome.err)
        cloud, _, machine = self.stack(script=self.BY_TAG)
        cloud.denied = {"cloudformation:SignalResource"}
        outcome = self.muster(machine, 3)
        self.assertIn("needs cloudformation:SignalResource on the stack fleet", outcome.err)


class Recording(AwsCase):
    def test_sqs(self):
        cloud = self.cloud()
        odd = "\u20ac \U0001f600 \uffff <&> +%"
        queue = cloud.sqs.queues[QUEUE] = []
        _, machine = self.instance(
            cloud, {"queue": {"type": "sqs", "queue_url": QUEUE, "required": True}},
            checks={"odd": {"command": ["/bin/printf", odd + "\n"]},
                    "bad": {"command": ["/bin/sh", "-c", f"echo '{odd}' >&2; exit 1"]}})
        self.muster(machine, 1, told=lambda: queue)
        first, last = (json.loads(message["MessageBody"]) for message in queue)
        self.assertEqual(first["outcome"], "in-progress")
        self.assertEqual(last, machine.read_json("/run/muster/report.json"))
        self.assertNotIn("MessageGroupId", queue[0])

    def test_a_fifo_queue(self):
        cloud = self.cloud()
        queue = cloud.sqs.queues[QUEUE + ".fifo"] = []
        _, machine = self.instance(
            cloud, {"queue": {"type": "sqs", "queue_url": QUEUE + ".fifo", "required": True}})
        self.muster(machine, 0)
        report = machine.read_json("/run/muster/report.json")
        self.assertEqual(queue[-1]["MessageGroupId"], INSTANCE)
        self.assertEqual(queue[-1]["MessageDeduplicationId"],
                         f"{INSTANCE}/{report['boot_id']}/{report['sequence']}")

    def test_errors_of_sqs(self):
        cloud = self.cloud()
        _, machine = self.instance(
            cloud, {"queue": {"type": "sqs", "queue_url": QUEUE, "required": True}})
        outcome = self.muster(machine, 3)
        self.assertIn("NonExistentQueue", outcome.err)
        cloud.sqs.queues[QUEUE] = []
        cloud.denied = {"sqs:SendMessage"}
        outcome = self.muster(machine, 3)
        self.assertIn("needs sqs:SendMessage on the queue " + QUEUE, outcome.err)

    def test_eventbridge(self):
        cloud = self.cloud()
        cloud.events.buses["fleet"] = []
        _, machine = self.instance(
            cloud, {"bus": {"type": "eventbridge", "bus": "fleet", "required": True}})
        self.muster(machine, 0)
        event = cloud.events.buses["fleet"][-1]
        self.assertEqual((event["Source"], event["DetailType"]), ("muster", "muster ready"))
        self.assertEqual(json.loads(event["Detail"]),
                         machine.read_json("/run/muster/report.json"))

    @waits(3)
    def test_errors_of_eventbridge(self):
        sink = {"bus": {"type": "eventbridge", "required": True}}
        with self.subTest("the entry is not taken, though the request is"):
            cloud = self.cloud()
            cloud.events.not_taken = [("ThrottlingException", "slow"), ("InternalFailure", "oh")]
            _, machine = self.instance(cloud, sink)
            self.muster(machine, 0)
            self.assertEqual(json.loads(cloud.events.buses["default"][-1]["Detail"])["outcome"],
                             "ready")
        with self.subTest("never"):
            cloud = self.cloud()
            cloud.events.not_taken = [("MalformedDetail", "Detail is malformed.")] * 99
            _, machine = self.instance(cloud, sink)
            outcome = self.muster(machine, 3)
            self.assertIn("MalformedDetail", outcome.err)
        with self.subTest("denied, with the clock off"):
            cloud = self.cloud()
            cloud.skew = 5000
            cloud.denied = {"events:PutEvents"}
            _, machine = self.instance(cloud, sink)
            outcome = self.muster(machine, 3)
            self.assertIn("needs events:PutEvents on the event bus default", outcome.err)


class Where(AwsCase):
    SINK = {"tags": {"type": "ec2-tags", "required": True}}

    def test_another_partition(self):
        cloud = self.cloud(domain="amazonaws.com.cn", region="cn-north-1")
        cloud.ec2.tags[INSTANCE] = {}
        _, machine = self.instance(cloud, self.SINK, script={"instance": {
            "placement": {"region": "cn-north-1", "availability-zone": "cn-north-1a"},
            "services": {"domain": "amazonaws.com.cn", "partition": "aws-cn"}}})
        self.muster(machine, 0)
        self.assertEqual(cloud.ec2.tags[INSTANCE]["muster:outcome"], "ready")

    def test_another_endpoint(self):
        host = "vpce-0a1b-2c3d.autoscaling.eu-west-1.vpce.amazonaws.com"
        cloud = self.cloud()
        cloud._host = lambda service: host
        cloud.autoscaling.launch("workers", INSTANCE, ("boot",))
        _, machine = self.instance(cloud, {"group": {
            "type": "autoscaling", "endpoint": "https://" + host, "required": True}})
        self.muster(machine, 0)
        self.assertEqual(cloud.autoscaling.instances[INSTANCE]["state"], "InService")

    def test_not_who_it_should_be(self):
        cloud = self.cloud()
        cloud.ec2.tags[INSTANCE] = {}
        _, machine = self.instance(cloud, self.SINK, trusted=False)
        outcome = self.muster(machine, 3)
        self.assertIn("certificate", outcome.err)
        self.assertEqual((cloud.calls, cloud.plain), ([], 0))

    @waits(15)
    def test_one_that_hangs_delays_no_other(self):
        cloud = self.cloud(rules=[{"contains": "CreateTags", "blackhole": True}])
        cloud.ec2.tags[INSTANCE] = {}
        cloud.autoscaling.launch("workers", INSTANCE, ("boot",))
        # The one that hangs is the first, and takes all the time that there is.
        _, machine = self.instance(cloud, {"a-hole": {"type": "ec2-tags"}, "group": {"type": "autoscaling"}},
                                   report={"deadline": "15s"})
        outcome = self.muster(machine, 0)
        instance = cloud.autoscaling.instances[INSTANCE]
        self.assertEqual(instance["answers"], [("boot", "CONTINUE")])
        self.assertGreater(outcome.seconds, 10)
        self.assertEqual(only(machine.list("/run/muster/spool")).endswith("a-hole.json"), True)


class Opens(AwsCase):
    """Once `in-progress` went out nothing of root is needed: addresses, certificates, credentials
    and tags are in memory."""

    @waits(5)
    def test_nothing_of_root(self):
        cloud = self.cloud()
        cloud.autoscaling.launch("workers", INSTANCE, ("boot",))
        cloud.ec2.tags[INSTANCE] = {}
        cloud.cloudformation.stacks["fleet"] = {"status": "CREATE_IN_PROGRESS",
                                                "resources": {"Workers": {}}}
        cloud.sqs.queues[QUEUE] = []
        _, machine = self.instance(
            cloud, {"group": {"type": "autoscaling", "required": True},
                    "tags": {"type": "ec2-tags", "required": True},
                    "stack": {"type": "cloudformation", "required": True, "stack": "fleet",
                              "resource": "Workers"},
                    "queue": {"type": "sqs", "queue_url": QUEUE, "required": True},
                    "bus": {"type": "eventbridge", "required": True}},
            ebs=MISSING_DISK)
        folder = tempfile.mkdtemp(prefix="muster-strace-")
        self.addCleanup(shutil.rmtree, folder)
        spoken = []

        def all_have_spoken():
            if machine.read("/run/err").count("delivered=yes") >= 5:
                spoken.append(time.time())
            return spoken

        outcome = machine.run_until_told(all_have_spoken, "--log-level", "debug", log="/run/err", prefix=(
            "strace", "-ff", "-ttt", "-o", os.path.join(folder, "trace"), "-e",
            "trace=open,openat,openat2,execve,clone,clone3,connect,exit"))
        self.ends(outcome, 1)
        self.assertEqual(set(cloud.asked()), {
            "autoscaling:DescribeLifecycleHooks", "autoscaling:RecordLifecycleActionHeartbeat",
            "autoscaling:CompleteLifecycleAction", "cloudformation:SignalResource",
            "ec2:CreateTags", "sqs:SendMessage", "events:PutEvents"})
        threads = test_root.Opens.threads(self, folder)
        late = [line for lines in threads for line in lines
                if re.search(r" (open\w*|execve)\(", line)
                and float(line.split()[0]) > spoken[0]]
        self.assertTrue(late, "not even /run")
        self.assertEqual([line for line in late if not re.search(r'"/(run|proc|sys|dev)/', line)],
                         [])


class Rehearsal(AwsCase):
    def test_nothing_is_done(self):
        cloud = self.cloud()
        cloud.autoscaling.launch("workers", INSTANCE, ("boot",))
        cloud.sqs.queues[QUEUE] = []
        _, machine = self.instance(
            cloud, {"group": {"type": "autoscaling"}, "tags": {"type": "ec2-tags"},
                    "stack": {"type": "cloudformation", "stack": "fleet", "resource": "Workers"},
                    "queue": {"type": "sqs", "queue_url": QUEUE},
                    "bus": {"type": "eventbridge"},
                    "file": {"type": "file", "path": "/run/report.json"}})
        outcome = self.muster(machine, 0, "deliver", "--test")
        self.assertEqual(set(cloud.asked()), {"autoscaling:DescribeLifecycleHooks",
                                              "sqs:SendMessage", "events:PutEvents"})
        for body in (only(cloud.sqs.queues[QUEUE])["MessageBody"],
                     only(cloud.events.buses["default"])["Detail"],
                     machine.read("/run/report.json")):
            self.assertEqual(json.loads(body)["outcome"], "test")
        told = {(action, when) for when, action in re.findall(
            r"^    (.*), with (\S+) on ", outcome.out, re.MULTILINE)}
        self.assertEqual(told, {
            ("autoscaling:RecordLifecycleActionHeartbeat", "while it boots"),
            ("autoscaling:CompleteLifecycleAction", "when ready"),
            ("autoscaling:CompleteLifecycleAction", "when failed and to be recreated"),
            ("autoscaling:SetInstanceHealth",
             "when failed and to be recreated, and no hook waits"),
            ("ec2:CreateTags", "when ready or failed"),
            ("cloudformation:SignalResource", "when ready"),
            ("cloudformation:SignalResource", "when failed and to be recreated")})
        self.assertIn("    LifecycleActionResult=ABANDON\n", outcome.out)
        self.assertEqual(outcome.out.count("took the test report"), 3)
        self.assertEqual(machine.list("/run/muster/spool"), [])

    def test_what_is_missing_is_told(self):
        cloud = self.cloud()
        cloud.denied = {"sqs:SendMessage"}
        _, machine = self.instance(cloud, {"queue": {"type": "sqs", "queue_url": QUEUE},
                                           "tags": {"type": "ec2-tags"}})
        outcome = self.muster(machine, 1, "deliver", "--test")
        self.assertIn("queue:\n    FAILED: denied: the instance's role needs sqs:SendMessage",
                      outcome.out)
        self.assertIn("tags:\n    when ready or failed", outcome.out)


if __name__ == "__main__":
    unittest.main()
