"""The autoscaling sink: the group's hooks are answered, by the right one, once, and nobody else's."""

import unittest

from aws_case import INSTANCE, KEY, MISSING_DISK, OLD_KEY, OLD_SECRET, OLD_TOKEN, SOON, AwsCase, role, tags
from case import waits
from machine import only, wait_for

SINK = {"group": {"type": "autoscaling", "required": True}}
NO_TAGS = {"instance": {"tags": None}}


class Launched(AwsCase):
    def launched(self, hooks=("boot",), sink=None, cloud=None, **options):
        """(cloud, its record of the instance, machine)"""
        launch = {name: options.pop(name) for name in ("warm", "waits") if name in options}
        cloud = cloud or self.cloud()
        cloud.autoscaling.launch("workers", INSTANCE, hooks, **launch)
        _, machine = self.instance(cloud, {"group": {**SINK["group"], **(sink or {})}}, **options)
        return cloud, cloud.autoscaling.instances[INSTANCE], machine

    def kinds(self, cloud):
        """The calls in their order, each as often as it comes anew: a try may be made twice."""
        asked = cloud.asked()
        return [one for one, before in zip(asked, ["", *asked]) if one != before]


class Group(Launched):
    def test_ready(self):
        cloud, instance, machine = self.launched()
        self.muster(machine, 0, told=lambda: instance["beats"])
        self.assertEqual(instance["answers"], [("boot", "CONTINUE")])
        self.assertEqual(instance["state"], "InService")
        # The tag said which group: no Describe call of the instance, which a fleet would make.
        self.assertEqual(self.kinds(cloud), ["autoscaling:DescribeLifecycleHooks",
                                         "autoscaling:RecordLifecycleActionHeartbeat",
                                         "autoscaling:CompleteLifecycleAction"])

    def test_all_named(self):
        cloud, instance, machine = self.launched(sink={"group": "workers", "hook": "boot"},
                                                 script=NO_TAGS)
        self.muster(machine, 0, told=lambda: instance["beats"])
        self.assertEqual(instance["state"], "InService")
        self.assertEqual(self.kinds(cloud), ["autoscaling:RecordLifecycleActionHeartbeat",
                                         "autoscaling:CompleteLifecycleAction"])

    def test_failed(self):
        cloud, instance, machine = self.launched(ebs=MISSING_DISK)
        self.muster(machine, 1)
        self.assertEqual(instance["answers"], [("boot", "ABANDON")])
        self.assertEqual(cloud.done("SetInstanceHealth"), [])

    def test_failed_outside_a_wait(self):
        cloud, instance, machine = self.launched(hooks=(), ebs=MISSING_DISK)
        self.muster(machine, 1)
        self.assertEqual(only(cloud.done("SetInstanceHealth")),
                         {"InstanceId": INSTANCE, "HealthStatus": "Unhealthy",
                          "ShouldRespectGracePeriod": False})
        with self.subTest("in service already, though the group has a hook"):
            cloud, instance, machine = self.launched(ebs=MISSING_DISK)
            cloud.autoscaling.CompleteLifecycleAction(
                {"InstanceId": INSTANCE, "LifecycleHookName": "boot",
                 "AutoScalingGroupName": "workers", "LifecycleActionResult": "CONTINUE"})
            self.assertEqual(instance["state"], "InService")
            self.muster(machine, 1)
            self.assertEqual((instance["health"], instance["grace"]), ("Unhealthy", False))

    def test_ready_outside_a_wait(self):
        cloud, instance, machine = self.launched(hooks=())
        outcome = self.muster(machine, 0, told=lambda: cloud.plain)
        self.assertIn("no launch hook", outcome.err)
        self.assertEqual(self.kinds(cloud), ["autoscaling:DescribeLifecycleHooks"])

    def test_two_hooks(self):
        with self.subTest("none is named"):
            cloud, instance, machine = self.launched(hooks=("boot", "theirs"))
            outcome = self.muster(machine, 3)
            self.assertIn("2 launch hooks (boot, theirs)", outcome.err)
            self.assertIn("report.to.group.hook", outcome.err)
            self.assertEqual(instance["answers"], [])
        with self.subTest("ours is named"):
            cloud, instance, machine = self.launched(hooks=("boot", "theirs"),
                                                     sink={"hook": "boot"})
            self.muster(machine, 0)
            self.assertEqual(instance["answers"], [("boot", "CONTINUE")])
            self.assertEqual(instance["state"], "Pending:Wait")
        with self.subTest("another time"):
            self.muster(machine, 0)
            self.assertEqual(instance["answers"], [("boot", "CONTINUE")])
        with self.subTest("a hook of terminations is none for us"):
            cloud = self.cloud()
            cloud.autoscaling.terminating["workers"] = {"drain": 600}
            _, instance, machine = self.launched(cloud=cloud)
            self.muster(machine, 0)
            self.assertEqual(instance["answers"], [("boot", "CONTINUE")])

    def test_which_group(self):
        with self.subTest("AWS says"):
            cloud, instance, machine = self.launched(script=NO_TAGS)
            self.muster(machine, 0, told=lambda: instance["beats"])
            self.assertEqual(instance["state"], "InService")
            self.assertEqual(len(cloud.done("DescribeAutoScalingInstances")), 1)
        with self.subTest("none at all"):
            cloud = self.cloud()
            _, machine = self.instance(cloud, SINK, script=NO_TAGS, ebs=MISSING_DISK)
            outcome = self.muster(machine, 1)
            self.assertIn("in no Auto Scaling group", outcome.err)
            self.assertEqual(set(cloud.asked()), {"autoscaling:DescribeAutoScalingInstances"})

    @waits(7)
    def test_not_listed_yet(self):
        """target-lifecycle-state says that there is a group, so the list is only late."""
        cloud = self.cloud()
        _, machine = self.instance(cloud, SINK, **SOON, script=NO_TAGS | {"instance": {
            "tags": None, "autoscaling": {"target-lifecycle-state": "InService"}}})
        outcome = self.muster(machine, 3)
        # Which of the calls the last try, cut short by the deadline, came to is up to the moment.
        self.assertNotIn("in no Auto Scaling group", outcome.err)
        self.assertGreater(len(cloud.done("DescribeAutoScalingInstances")), 1)
        cloud.autoscaling.launch("workers", INSTANCE, ("boot",))
        self.late(machine)
        self.assertEqual(cloud.autoscaling.instances[INSTANCE]["state"], "InService")

    @waits(2)
    def test_quicker_than_the_group(self):
        """target-lifecycle-state is InService all the time; the answer waits for its question."""
        cloud, instance, machine = self.launched(
            waits=False, script={"instance": {"autoscaling": {
                "target-lifecycle-state": "InService"}}})
        process = machine.start("run")
        # It was too early with its answer, and has learned why.
        wait_for(lambda: cloud.done("DescribeAutoScalingInstances"))
        self.assertIn(("autoscaling:CompleteLifecycleAction", "ValidationError"), cloud.refused)
        with cloud.lock:
            cloud.autoscaling.arrive(INSTANCE)
        self.ends(machine.end(process), 0)
        self.assertEqual(instance["answers"], [("boot", "CONTINUE")])

    def test_a_warm_pool_boots_twice(self):
        cloud, instance, machine = self.launched(warm=True)
        self.assertEqual(instance["state"], "Warmed:Pending:Wait")
        self.muster(machine, 0)
        self.assertEqual(instance["state"], "Warmed:Stopped")
        cloud.autoscaling.leave_warm_pool(INSTANCE)
        self.assertEqual(instance["state"], "Pending:Wait")
        self.muster(machine, 0)
        self.assertEqual(instance["state"], "InService")
        self.assertEqual(instance["answers"], [("boot", "CONTINUE")] * 2)

    def test_nobody_is_condemned(self):
        for name, changes in (
                ("observe", {"mode": "observe"}),
                ("the tag", {"script": {"instance": tags(**{"muster:hold": ""})}}),
                ("the file", {})):
            with self.subTest(name):
                cloud, instance, machine = self.launched(ebs=MISSING_DISK, **changes)
                if name == "the file":
                    machine.write("/run/muster/hold", "")
                outcome = self.muster(machine, 1, told=lambda: instance["beats"])
                self.assertEqual(instance["answers"], [("boot", "CONTINUE")])
                self.assertIn("approved in spite of a failure", outcome.err)
        for name, changes in (("observe", {"mode": "observe"}), ("hold", {})):
            with self.subTest(name + ", in service"):
                cloud, instance, machine = self.launched(hooks=(), ebs=MISSING_DISK, **changes)
                machine.write("/run/muster/hold", "")
                self.muster(machine, 1)
                self.assertEqual(instance["health"], "Healthy")

    def test_recreating_would_not_help(self):
        cloud, instance, machine = self.launched(
            checks={"no": {"command": ["/bin/false"], "recreate": False}})
        outcome = self.muster(machine, 1)
        self.assertIn("recreating would not help", outcome.err)
        self.assertEqual((instance["answers"], instance["state"]), ([], "Pending:Wait"))

    @waits(8)
    def test_late_and_over(self):
        cloud, instance, machine = self.launched(ebs=MISSING_DISK, **SOON)
        cloud.failing["autoscaling:CompleteLifecycleAction"] = [("InternalFailure", 500)] * 1000
        self.muster(machine, 4)
        name = only(machine.list("/run/muster/spool"))
        entry = machine.read_json("/run/muster/spool/" + name)
        cloud.failing.clear()
        with self.subTest("of this boot, but late"):
            outcome = self.late(machine)
            self.assertIn("late", outcome.err)
            self.assertEqual((instance["answers"], instance["health"]), ([], "Healthy"))
        with self.subTest("of a boot that is over"):
            text = machine.read("/run/muster/report.json")
            boot = machine.read_json("/run/muster/report.json")["boot_id"]
            other = "0" * 8 + boot[8:]
            for key, value in entry.items():
                if isinstance(value, str):
                    entry[key] = value.replace(boot, other)
            machine.write("/run/muster/spool/" + name.replace(boot, other), entry)
            self.late(machine)
            self.assertEqual((instance["answers"], instance["health"]), ([], "Healthy"))
            self.assertEqual(text, machine.read("/run/muster/report.json"))

    @waits(12)
    def test_heartbeats_go_on(self):
        """Each ten seconds by the agent's clock, until the verdict."""
        cloud, instance, machine = self.launched(ebs=MISSING_DISK)
        cloud.autoscaling.groups["workers"]["boot"] = 30
        self.muster(machine, 1, told=lambda: len(instance["beats"]) > 1)
        self.assertEqual(instance["answers"], [("boot", "ABANDON")])
        first, second = instance["beats"][:2]
        self.assertGreater(second - first, 5)
        self.assertEqual(cloud.asked()[-1], "autoscaling:CompleteLifecycleAction")


class Errors(Launched):
    """Each class of error, by the group's sink; the others share its client."""

    def test_denied(self):
        for action in ("CompleteLifecycleAction", "DescribeLifecycleHooks", "SetInstanceHealth",
                       "DescribeAutoScalingInstances"):
            with self.subTest(action):
                cloud, instance, machine = self.launched(
                    hooks=() if action == "SetInstanceHealth" else ("boot",), ebs=MISSING_DISK,
                    script=NO_TAGS if action == "DescribeAutoScalingInstances" else None)
                cloud.denied = {"autoscaling:" + action}
                outcome = self.muster(machine, 4)
                self.assertIn(f"the instance's role needs autoscaling:{action} on ", outcome.err)
                delivery = only(machine.read_json("/run/muster/status.json")["deliveries"])
                self.assertEqual(delivery["tries"], 1, "no use in trying again")

    @waits(4)
    def test_tried_again(self):
        cloud, instance, machine = self.launched()
        cloud.failing["autoscaling:CompleteLifecycleAction"] = [
            ("Throttling", 400), ("ResourceContention", 400), ("InternalFailure", 500),
            ("ServiceUnavailable", 503)]
        self.muster(machine, 0)
        self.assertEqual(instance["answers"], [("boot", "CONTINUE")])
        self.assertEqual(only(machine.read_json("/run/muster/status.json")["deliveries"])["tries"],
                         5)

    def test_the_clock_is_off(self):
        for skew in (3600, -3600):
            with self.subTest(skew):
                cloud, instance, machine = self.launched()
                cloud.skew = skew
                outcome = self.muster(machine, 0, told=lambda: instance["beats"])
                self.assertEqual(instance["answers"], [("boot", "CONTINUE")])
                self.assertEqual([code for _, code in cloud.refused], ["SignatureDoesNotMatch"])
                self.assertEqual(outcome.err.count("the clock is off"), 1)

    @waits(3)
    def test_a_new_key(self):
        cloud, instance, machine = self.launched()
        cloud.unknown[KEY] = 3
        self.muster(machine, 0)
        self.assertEqual(instance["answers"], [("boot", "CONTINUE")])

    @waits(3)
    def test_expired_credentials(self):
        """What metadata gave first is over by the time that it is used."""
        cloud, instance, machine = self.launched(script={"metadata": [
            {"path": "meta-data/iam/security-credentials/worker", "times": 1,
             "instance": role(OLD_KEY, OLD_SECRET, OLD_TOKEN)}]})
        cloud.expired = {OLD_KEY}
        self.muster(machine, 0, told=lambda: instance["beats"])
        self.assertEqual(instance["answers"], [("boot", "CONTINUE")])
        self.assertEqual([code for _, code in cloud.refused], ["ExpiredToken"])

    @waits(7)
    def test_no_role(self):
        _, _, machine = self.launched(script={"instance": {"iam": None}}, **SOON)
        outcome = self.muster(machine, 3)
        self.assertIn("has no IAM role (yet)", outcome.err)

    def test_no_such_group(self):
        _, _, machine = self.launched(sink={"group": "wrokers"})
        outcome = self.muster(machine, 3)
        self.assertIn("Group wrokers not found", outcome.err)


if __name__ == "__main__":
    unittest.main()
