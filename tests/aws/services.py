"""What the services do with a right request: as much of AWS as muster speaks to.

Each has a method for each operation. A `Refused` becomes an error of the service's own form.
"""

import hashlib
import time
import uuid
from xml.sax.saxutils import escape


class Refused(Exception):
    def __init__(self, code, message, status=400):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


def elements(value):
    """Python's lists and dicts as the XML of the Query protocol."""
    if isinstance(value, dict):
        return "".join(f"<{name}>{elements(inner)}</{name}>" for name, inner in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{elements(inner)}</member>" for inner in value)
    return escape(str(value))


class AutoScaling:
    """Groups with launch hooks, and their instances' way through the states ("Amazon EC2 Auto
    Scaling instance lifecycle", in the user guide)."""

    def __init__(self):
        self.groups = {}      # name -> {hook name: timeout}
        self.terminating = {} # group -> hooks of the other transition
        self.instances = {}   # id -> {"group", "state", "waiting": {hook}, "health", "answers"}

    def launch(self, group, instance, hooks=(), warm=False, waits=True):
        """A new instance: it waits for the group's hooks, or is still on its way there."""
        self.groups.setdefault(group, {}).update({hook: 600 for hook in hooks})
        self.instances[instance] = {"group": group, "waiting": set(), "answers": [],
                                    "health": "Healthy", "warm": warm, "state": "", "beats": []}
        self._enter(instance, "Pending")
        if waits:
            self.arrive(instance)

    def arrive(self, instance):
        """Pending -> Pending:Wait where the group has hooks, else in service at once."""
        one = self.instances[instance]
        one["waiting"] = set(self.groups[one["group"]])
        if one["waiting"]:
            self._enter(instance, "Pending:Wait")
        else:
            self._serve(instance)

    def leave_warm_pool(self, instance):
        """It is started again and goes through the launch hooks a second time."""
        one = self.instances[instance]
        assert one["state"] == "Warmed:Stopped", one
        one["warm"] = False
        self.arrive(instance)

    def _enter(self, instance, state):
        one = self.instances[instance]
        one["state"] = ("Warmed:" if one["warm"] else "") + state

    def _serve(self, instance):
        one = self.instances[instance]
        one["state"] = "Warmed:Stopped" if one["warm"] else "InService"

    def _waiting(self, parameters):
        instance, hook = parameters["InstanceId"], parameters["LifecycleHookName"]
        group = parameters["AutoScalingGroupName"]
        one = self.instances.get(instance)
        if group not in self.groups:
            raise Refused("ValidationError", "AutoScalingGroup name not found - no such group: "
                          + group)
        if not one or one["group"] != group or hook not in one["waiting"]:
            raise Refused("ValidationError",
                          f"No active Lifecycle Action found with instance ID {instance}")
        return one, hook

    def RecordLifecycleActionHeartbeat(self, parameters):
        one, _ = self._waiting(parameters)
        one["beats"].append(time.monotonic())
        return {}

    def CompleteLifecycleAction(self, parameters):
        one, hook = self._waiting(parameters)
        result = parameters["LifecycleActionResult"]
        one["answers"].append((hook, result))
        one["waiting"].discard(hook)
        if result == "ABANDON":
            one["waiting"] = set()
            one["state"] = "Terminating"
        elif not one["waiting"]:
            self._serve(parameters["InstanceId"])
        return {}

    def SetInstanceHealth(self, parameters):
        one = self.instances.get(parameters["InstanceId"])
        if not one:
            raise Refused("ValidationError", "Instance Id not found - No managed instance found "
                          "for instance ID " + parameters["InstanceId"])
        one["health"] = parameters["HealthStatus"]
        one["grace"] = parameters.get("ShouldRespectGracePeriod", True)
        return {}

    def DescribeAutoScalingInstances(self, parameters):
        wanted = parameters["InstanceIds"]
        return {"AutoScalingInstances": [
            {"InstanceId": name, "AutoScalingGroupName": one["group"],
             "AvailabilityZone": "eu-west-1b", "LifecycleState": one["state"],
             "HealthStatus": one["health"].upper(), "ProtectedFromScaleIn": "false"}
            for name, one in self.instances.items() if name in wanted]}

    def DescribeLifecycleHooks(self, parameters):
        group = parameters["AutoScalingGroupName"]
        if group not in self.groups:
            raise Refused("ValidationError", "Group " + group + " not found")
        return {"LifecycleHooks": [
            {"LifecycleHookName": hook, "AutoScalingGroupName": group,
             "LifecycleTransition": transition, "HeartbeatTimeout": timeout,
             "GlobalTimeout": 172800, "DefaultResult": "ABANDON"}
            for transition, hooks in (
                ("autoscaling:EC2_INSTANCE_TERMINATING", self.terminating.get(group, {})),
                ("autoscaling:EC2_INSTANCE_LAUNCHING", self.groups[group]))
            for hook, timeout in hooks.items()]}


class CloudFormation:
    def __init__(self):
        self.stacks = {}  # name -> {"status", "resources": {id: {instance: status}}}

    def SignalResource(self, parameters):
        name, resource = parameters["StackName"], parameters["LogicalResourceId"]
        stack = self.stacks.get(name)
        if not stack:
            raise Refused("ValidationError", f"Stack {name} does not exist")
        if not stack["status"].endswith("IN_PROGRESS"):
            raise Refused("ValidationError", f"Stack arn:aws:cloudformation:eu-west-1:1:stack/{name}"
                          f"/0 is in {stack['status']} state and cannot be signaled")
        signals = stack["resources"].get(resource)
        if signals is None:
            raise Refused("ValidationError", f"Resource {resource} does not exist for stack {name}")
        if parameters["UniqueId"] in signals and parameters["Status"] != "FAILURE":
            raise Refused("ValidationError", f"Signal with ID {parameters['UniqueId']} for resource "
                          f"{resource} already exists. Signals may only be updated with a FAILURE "
                          "status.")
        signals[parameters["UniqueId"]] = parameters["Status"]
        return {}


class Ec2:
    def __init__(self):
        self.tags = {}  # instance -> {key: value}; an instance that is not there is not known yet

    def CreateTags(self, parameters):
        for instance in parameters["Resources"]:
            if instance not in self.tags:
                raise Refused("InvalidInstanceID.NotFound",
                              f"The instance ID '{instance}' does not exist")
            for tag in parameters["Tags"]:
                self.tags[instance][tag["Key"]] = tag["Value"]
        return {"return": "true"}


class Sqs:
    def __init__(self):
        self.queues = {}  # url -> [parameters]

    def SendMessage(self, parameters):
        queue = self.queues.get(parameters["QueueUrl"])
        if queue is None:
            raise Refused("AWS.SimpleQueueService.NonExistentQueue",
                          "The specified queue does not exist for this wsdl version.")
        body = parameters["MessageBody"]
        if len(body.encode()) > 256 * 1024:
            raise Refused("InvalidParameterValue", "One or more parameters are invalid. Reason: "
                          "Message must be shorter than 262144 bytes.")
        bad = [c for c in body if not (c in "\t\n\r" or " " <= c <= "\ud7ff"
                                       or "\ue000" <= c <= "\ufffd" or c >= "\U00010000")]
        if bad:
            raise Refused("InvalidMessageContents", f"Invalid characters found: {bad}")
        queue.append(parameters)
        return {"MD5OfMessageBody": hashlib.md5(body.encode()).hexdigest(),
                "MessageId": uuid.uuid4()}


class EventBridge:
    def __init__(self):
        self.buses = {"default": []}
        self.not_taken = []  # (code, message) of the next entries

    def PutEvents(self, parameters):
        entry, = parameters["Entries"]
        if self.not_taken:
            code, message = self.not_taken.pop(0)
            return {"FailedEntryCount": 1,
                    "Entries": [{"ErrorCode": code, "ErrorMessage": message}]}
        if entry["EventBusName"] not in self.buses:
            raise Refused("ResourceNotFoundException",
                          f"Event bus {entry['EventBusName']} does not exist.")
        self.buses[entry["EventBusName"]].append(entry)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": str(uuid.uuid4())}]}
