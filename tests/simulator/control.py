"""The test's own door: counters out, scripts in.

On a port of its own, since the services it controls may be refused just then.
"""

import json
import os
import time

import script as scripts
from answer import Answer
from metadata_tree import build_tree
from rules import Rules, ScriptError


class Control:
    """GET /_simulator/state and secrets; POST /_simulator/script; POST /_simulator/reset."""

    server_name = "muster-simulator"

    def __init__(self, metadata, endpoint):
        self.metadata = metadata
        self.endpoint = endpoint
        self.began = time.monotonic()

    def respond(self, request, changes=None):
        doors = {("GET", "/_simulator/state"): self._state,
                 ("GET", "/_simulator/secrets"): self._secrets,
                 ("POST", "/_simulator/script"): self._swap,
                 ("POST", "/_simulator/reset"): self._reset}
        door = doors.get((request.method, request.path))
        if door is None:
            return _json(404, {"error": "no such door", "doors": ["%s %s" % key for key in doors]})
        try:
            return door(request)
        except ScriptError as error:
            return _json(400, {"error": str(error)})

    def _state(self, request):
        state = {"pid": os.getpid(), "uptime": round(time.monotonic() - self.began, 3)}
        for service in (self.metadata, self.endpoint):
            state[service.name] = dict(service.counters.snapshot(), open=len(service.connections),
                                       gate=service.gate,
                                       rules_age=round(service.rules.age(), 3))
        state["metadata"]["tokens"] = self.metadata.handler.tokens.snapshot()
        state["endpoint"]["decisions"] = list(self.endpoint.handler.decisions)
        state["endpoint"]["held_back"] = self.endpoint.handler.held_back()
        return _json(200, state)

    def _secrets(self, request):
        """What is served here and may be in no log and no file: a test greps for it."""
        tree = build_tree(self.metadata.handler.instance)
        identity = tree["dynamic"]["instance-identity"]
        found = [identity[name] for name in ("signature", "rsa2048", "pkcs7") if identity.get(name)]
        roles = tree["meta-data"].get("iam", {}).get("security-credentials", {})
        for role in roles.values():
            role = role.get("$json", {}) if isinstance(role, dict) else {}
            found += [role[name] for name in ("SecretAccessKey", "Token") if name in role]
        return _json(200, found + list(self.metadata.handler.tokens.ends))

    def _swap(self, request):
        """What the posted script names is changed, the rest goes on as it was:
        `instance` and `options` are merged, `metadata` and `endpoint` replaced,
        each with a new clock and new counts. All is checked before any of it."""
        given = scripts.load(request.body.decode("utf-8", "replace") or "{}")
        services = [(service, Rules(service.name, given[service.name]))
                    for service in (self.metadata, self.endpoint) if service.name in given]
        handler = self.metadata.handler
        if "instance" in given:
            handler.instance = scripts.merge(handler.instance, given["instance"])
        if "options" in given:
            handler.options = scripts.merge(handler.options, given["options"])
        for service, rules in services:
            service.swap(rules)
        return _json(200, {"swapped": sorted(given)})

    def _reset(self, request):
        for service in (self.metadata, self.endpoint):
            service.counters.reset()
        return _json(200, {"reset": True})


def _json(status, value):
    return Answer(status, json.dumps(value, indent=2) + "\n", "application/json")
