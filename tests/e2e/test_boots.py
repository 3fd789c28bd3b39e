"""Many boots of one machine: the agent is killed at random moments, and its endpoint and AWS fail at random.

Processes and not one process with a fake clock: what is to be shown is that nothing is lost between two system
calls, and only SIGKILL comes between those. 50 boots, or MUSTER_BOOTS; MUSTER_SEED repeats one.
"""

import datetime
import os
import random
import signal
import time
import unittest

from aws_case import INSTANCE, AwsCase
from case import waits
from machine import wait_for
from pace import HERE as PACE

BOOTS = int(os.environ.get("MUSTER_BOOTS") or 50)
VERDICTS = ("ready", "failed")


ACTING = ("ec2:CreateTags", "autoscaling:SetInstanceHealth")
# One that records, and two that act.
SINKS = {"scaler": {}, "tags": {"type": "ec2-tags", "required": True}, "group": {"type": "autoscaling"}}


class Boots(AwsCase):
    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("MUSTER_SEED") or random.SystemRandom().randrange(2**31))
        self.random = random.Random(self.seed)
        self.aws = self.cloud()
        self.aws.ec2.tags[INSTANCE] = {}
        self.aws.autoscaling.launch("workers", INSTANCE)  # without a hook: in service from then on
        self.simulator, self.machine = self.instance(self.aws, SINKS, report={"deadline": "1s"})
        self.killed = self.condemned = 0

    def weather(self):
        """How the endpoint and AWS are for a while."""
        self.simulator.swap({"endpoint": self.random.choice((
            [], [], [{"refuse": True}], [{"status": 503}], [{"blackhole": True}], [{"reset": "before"}],
            [{"probability": 0.5, "seed": self.random.randrange(1000), "status": 500}],
            [{"probability": 0.5, "seed": self.random.randrange(1000), "stall": 0}],
            [{"delay": 0.3}]))})
        with self.aws.lock:
            self.aws.failing = {call: [("InternalFailure", 500)] * self.random.choice((0, 0, 1, 3, 1000))
                                for call in ACTING}

    def start(self, command, chance):
        """Runs it; with that chance it is killed at some moment. True where it came to its end."""
        process = self.machine.start(command)
        if self.random.random() < chance:
            time.sleep(self.random.uniform(0, 2.0) * PACE.slowness())
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                self.killed += 1
        ended = self.machine.end(process).status >= 0
        self.settle()
        return ended

    def configure(self, fate, more=None):
        self.machine.write("/etc/muster/conf.d/50.json", {**(more or {}), "checks": {"fate": {
            "command": ["/bin/true" if fate == "ready" else "/bin/false"], "recreate": True}}})
        with self.aws.lock:
            self.aws.calls.clear()

    def boot(self):
        """(boot, sequence) of its last verdict, where that was known to more than a process that died."""
        boot_id = self.machine.reboot()
        fate = self.random.choice(("ready", "failed"))
        self.configure(fate)
        began = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
        self.weather()
        ended = self.start("run", 0.6)
        if not ended and self.random.random() < 0.5:
            ended = self.start("run", 0.3)
        self.weather()
        if self.random.random() < 0.7 or not ended:
            ended = self.start("deliver", 0.3 if ended else 0) or ended
        self.judge_acts(began[:23], fate)
        if not ended or not os.path.exists(self.machine.path("/run/muster/report.json")):
            return None
        report = self.machine.read_json("/run/muster/report.json")
        self.assertEqual(report["boot_id"], boot_id)
        return boot_id, report["sequence"]

    def settle(self):
        """A request of one that was killed just now may still be on its way."""
        self.machine.wait_until_idle()
        self.simulator.wait_until_quiet()
        wait_for(lambda: not self.aws.socket.connections, "the end of AWS's connections")

    def judge_acts(self, began, fate):
        """What was done to the machine was about this boot, and no failed one is approved or the other way round."""
        with self.aws.lock:
            calls = list(self.aws.calls)
        for call, parameters in calls:
            if call == "autoscaling:SetInstanceHealth":
                self.condemned += 1
                self.assertEqual(fate, "failed", f"seed {self.seed}")
            elif call == "ec2:CreateTags":
                tags = {tag["Key"]: tag["Value"] for tag in parameters["Tags"]}
                self.assertGreaterEqual(tags["muster:time"], began, f"seed {self.seed}")
                self.assertEqual(tags["muster:outcome"], fate, f"seed {self.seed}")
            self.assertEqual(parameters.get("InstanceId", INSTANCE), INSTANCE)

    @waits(120)
    def test_each_last_verdict_arrives_once_and_in_order(self):
        print(f"boots: {BOOTS}, seed {self.seed}", flush=True)
        order, last = [], []
        for _ in range(BOOTS):
            verdict = self.boot()
            order.append(self.machine.read("/run/.boot_id").strip())
            last += [verdict] if verdict else []
        self.simulator.swap({"endpoint": []})
        self.aws.failing = {}
        order.append(self.machine.reboot())
        # With time for it: this one is condemned, however the others ended.
        self.configure("failed", {"report": {"deadline": "60s"}})
        self.ends(self.machine.run("run"), 1)
        self.delivers(self.machine)
        self.judge_acts("", "failed")
        self.assertEqual(self.machine.list("/var/lib/muster/spool"), [])
        self.judge(order, last)

    def judge(self, order, last):
        """As a receiver does that goes by (boot, sequence) and drops a key it has had."""
        taken = self.simulator.taken()
        seen, newest, twice = {}, (-1, 0), 0
        for report in taken:
            place = (order.index(report["boot_id"]), report["sequence"])
            if place in seen:
                twice += 1
                self.assertEqual({**report, "superseded": None}, {**seen[place], "superseded": None})
            seen[place] = report
            if report["outcome"] in VERDICTS and place < newest and place[0] < newest[0]:
                self.assertIs(report.get("superseded"), True, f"{place} after {newest}")
            if report["outcome"] == "in-progress":
                self.assertGreater(place, newest, f"seed {self.seed}")
            newest = max(newest, place)
        arrived = {place for place, report in seen.items() if report["outcome"] in VERDICTS}
        missing = [verdict for verdict in last if (order.index(verdict[0]), verdict[1]) not in arrived]
        print(f"boots: {len(order)}, {self.killed} times killed, {len(last)} last verdicts, "
              f"{len(arrived)} verdicts arrived, {twice} of {len(taken)} reports twice, "
              f"{self.condemned} times condemned", flush=True)
        self.assertGreater(self.condemned, 0)
        self.assertEqual(missing, [], f"seed {self.seed}")
        self.assertGreater(len(last), BOOTS // 3)


if __name__ == "__main__":
    unittest.main()
