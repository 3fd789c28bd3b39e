"""Requests of the Query and JSON protocols, held against botocore's models of the services.

A request is read into the parameters that the model describes, these are validated, and then written
again by botocore's own serializer: that must give what was sent, name for name and value for value.
"""

import functools
import json
import urllib.parse

import botocore.loaders
import botocore.model
import botocore.serialize
import botocore.validate


class Invalid(Exception):
    """What is wrong with the request, for a person."""


@functools.lru_cache(None)
def model(service):
    loader = botocore.loaders.Loader()
    return botocore.model.ServiceModel(loader.load_service_model(service, "service-2"), service)


def read(service, request):
    """(operation, parameters) of a request."""
    described = model(service)
    if described.metadata["protocol"] == "json":
        return _read_json(described, request)
    return _read_query(described, request)


def _read_json(described, request):
    prefix, _, name = (request.header("X-Amz-Target") or "").partition(".")
    version = described.metadata["jsonVersion"]
    _must(prefix == described.metadata["targetPrefix"], "the target is " + prefix)
    _must(request.header("Content-Type") == "application/x-amz-json-" + version, "content type")
    operation = _operation(described, name)
    parameters = json.loads(request.body)
    _validate(parameters, operation)
    written = botocore.serialize.create_serializer("json", include_validation=False).serialize_to_request(
        parameters, operation)
    _must(json.loads(written["body"]) == parameters, "botocore writes another body")
    return operation.name, parameters


def _read_query(described, request):
    _must(request.header("Content-Type") == "application/x-www-form-urlencoded; charset=utf-8",
          "content type")
    pairs = urllib.parse.parse_qsl(request.body.decode("ascii"), keep_blank_values=True,
                                   strict_parsing=True)
    sent = dict(pairs)
    _must(len(sent) == len(pairs), "a parameter is there twice")
    _must(sent.get("Version") == described.metadata["apiVersion"], "the version")
    operation = _operation(described, sent.get("Action", ""))
    serializer = botocore.serialize.create_serializer(
        described.metadata["protocol"], include_validation=False)
    flat = {name: value for name, value in sent.items() if name not in ("Action", "Version")}
    parameters = _structure(serializer, operation.input_shape, flat)
    _must(not flat, f"unknown parameters {sorted(flat)}")
    _validate(parameters, operation)
    written = serializer.serialize_to_request(parameters, operation)["body"]
    _must({name: str(value) for name, value in written.items()} == sent,
          f"botocore writes {dict(written)}")
    return operation.name, parameters


def _operation(described, name):
    _must(name in described.operation_names, f"{described.service_name} has no operation {name!r}")
    return described.operation_model(name)


def _validate(parameters, operation):
    report = botocore.validate.ParamValidator().validate(parameters, operation.input_shape)
    _must(not report.has_errors(), report.generate_report())


def _must(holds, what):
    if not holds:
        raise Invalid(what)


def _structure(serializer, shape, flat, prefix=""):
    """Takes what it understands out of `flat`."""
    found = {}
    for member, member_shape in shape.members.items():
        name = prefix + serializer._get_serialized_name(member_shape, member)
        value = _value(serializer, member_shape, flat, name)
        if value is not None:
            found[member] = value
    return found


def _value(serializer, shape, flat, name):
    if shape.type_name == "structure":
        return _structure(serializer, shape, flat, name + ".") or None
    if shape.type_name == "list":
        return _list(serializer, shape, flat, name)
    if name not in flat:
        return None
    text = flat.pop(name)
    if shape.type_name == "boolean":
        _must(text in ("true", "false"), f"{name} is {text!r}")
        return text == "true"
    return int(text) if shape.type_name == "integer" else text


def _list(serializer, shape, flat, name):
    if not isinstance(serializer, botocore.serialize.EC2Serializer):
        _must(not shape.serialization.get("flattened"), "a flattened list: not needed so far")
        name += "." + shape.member.serialization.get("name", "member")
    items = []
    while (item := _value(serializer, shape.member, flat, f"{name}.{len(items) + 1}")) is not None:
        items.append(item)
    return items or None
