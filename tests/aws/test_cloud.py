#!/usr/bin/python3
"""The simulated cloud itself: botocore's own clients are content with it, and forged requests not."""

import os
import sys
import unittest

import botocore.config
import botocore.exceptions
import botocore.session

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "simulator")]

from cloud import Cloud  # noqa: E402
from http_server import Service  # noqa: E402
from rules import Rules  # noqa: E402


class SimulatedCloud(unittest.TestCase):
    def setUp(self):
        self.cloud = cloud = Cloud()
        cloud.keys = {"K": ("secret", "token")}
        cloud.socket = Service("aws", "127.0.0.1", 0, cloud, Rules("aws", []))
        cloud.socket.start()
        self.addCleanup(cloud.socket.go_down, 3600)
        cloud._host = lambda service: cloud.socket.url().partition("//")[2]

    def client(self, service, secret="secret"):
        client = botocore.session.Session().create_client(
            service, region_name="eu-west-1", endpoint_url=self.cloud.socket.url(),
            aws_access_key_id="K", aws_secret_access_key=secret, aws_session_token="token",
            config=botocore.config.Config(retries={"max_attempts": 0}))
        self.addCleanup(client.close)
        return client

    def refused(self, code, call, **parameters):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**parameters)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)

    def test_every_call_that_muster_makes(self):
        cloud = self.cloud
        cloud.autoscaling.launch("workers", "i-1", ("boot",))
        cloud.ec2.tags["i-1"] = {}
        cloud.cloudformation.stacks["fleet"] = {"status": "CREATE_IN_PROGRESS",
                                                "resources": {"W": {}}}
        queue = cloud.socket.url() + "/1/q"
        cloud.sqs.queues[queue] = []
        scaling = self.client("autoscaling")
        member, = scaling.describe_auto_scaling_instances(InstanceIds=["i-1"])[
            "AutoScalingInstances"]
        self.assertEqual(member["LifecycleState"], "Pending:Wait")
        hook, = scaling.describe_lifecycle_hooks(AutoScalingGroupName="workers")["LifecycleHooks"]
        self.assertEqual((hook["LifecycleHookName"], hook["HeartbeatTimeout"]), ("boot", 600))
        about = {"LifecycleHookName": "boot", "AutoScalingGroupName": "workers",
                 "InstanceId": "i-1"}
        scaling.record_lifecycle_action_heartbeat(**about)
        scaling.complete_lifecycle_action(LifecycleActionResult="CONTINUE", **about)
        self.refused("ValidationError", scaling.complete_lifecycle_action,
                     LifecycleActionResult="CONTINUE", **about)
        scaling.set_instance_health(InstanceId="i-1", HealthStatus="Unhealthy",
                                    ShouldRespectGracePeriod=False)
        self.assertIs(cloud.autoscaling.instances["i-1"]["grace"], False)
        tags = [{"Key": "a", "Value": ""}, {"Key": "b", "Value": "c"}]
        self.client("ec2").create_tags(Resources=["i-1"], Tags=tags)
        self.assertEqual(cloud.ec2.tags["i-1"], {"a": "", "b": "c"})
        self.refused("InvalidInstanceID.NotFound", self.client("ec2").create_tags,
                     Resources=["i-2"], Tags=tags)
        self.client("cloudformation").signal_resource(
            StackName="fleet", LogicalResourceId="W", UniqueId="i-1", Status="SUCCESS")
        self.client("sqs").send_message(QueueUrl=queue, MessageBody="x")
        sent = self.client("events").put_events(Entries=[
            {"Source": "m", "DetailType": "d", "Detail": "{}", "EventBusName": "default"}])
        self.assertEqual(sent["FailedEntryCount"], 0)
        self.assertEqual(cloud.faults, [])

    def test_forged(self):
        self.refused("ValidationError", self.client("ec2", "another secret").create_tags,
                     Resources=["i-1"], Tags=[])
        self.assertIn("the signature is not botocore's", self.cloud.faults[0])
        self.assertEqual(self.cloud.calls, [])

    def test_refusals(self):
        self.cloud.skew = 1000
        self.refused("SignatureDoesNotMatch", self.client("autoscaling").describe_lifecycle_hooks,
                     AutoScalingGroupName="g")
        self.cloud.skew = 0
        self.cloud.denied = {"events:PutEvents"}
        self.refused("AccessDeniedException", self.client("events").put_events, Entries=[
            {"Source": "m", "DetailType": "d", "Detail": "{}", "EventBusName": "default"}])


if __name__ == "__main__":
    unittest.main()
