#!/usr/bin/python3
"""Plays the EC2 metadata service and the scaler's endpoint, as badly as asked.

    simulator.py --script misbehaving --record /tmp/reports.jsonl

prints one line of JSON with the addresses when both listen (or are refused, if
the script wants that), and runs until SIGTERM. README.md has the rest.
"""

import argparse
import json
import os
import resource
import select
import signal
import sys
import threading
import warnings

import script as scripts
from control import Control
from endpoint import Endpoint, Recorder, RequestLog
from http_server import Service
from metadata_tree import MetadataService, below_version
from rules import Rules, ScriptError


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--script", action="append", default=[], metavar="NAME",
                        help="a file, a name in scripts/, or JSON; repeatable, merged in order")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE",
                        help="replace one value, e.g. instance.instance-type=i4i.large")
    parser.add_argument("--bind", default="127.0.0.1", help="the metadata service's address")
    parser.add_argument("--metadata-port", type=int, default=0)
    parser.add_argument("--endpoint-bind", default="127.0.0.1")
    parser.add_argument("--endpoint-port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0, help="always on 127.0.0.1")
    parser.add_argument("--record", metavar="FILE", help="what the endpoint got, JSON lines")
    parser.add_argument("--log", metavar="FILE", help="what metadata was asked, JSON lines")
    parser.add_argument("--tls-cert", metavar="FILE", help="the endpoint speaks https")
    parser.add_argument("--tls-key", metavar="FILE")
    parser.add_argument("--tls-client-ca", metavar="FILE",
                        help="and wants the client's certificate")
    parser.add_argument("--tls-max", choices=("1.1", "1.2", "1.3"), help="no later version")
    parser.add_argument("--tls-ciphers", metavar="LIST", help="of TLS 1.2, no others")
    parser.add_argument("--receiver", metavar="JSON",
                        help="decide, too, as a scaler would: {\"most\": 2, \"window\": 600, "
                             "\"first_word\": 300}; what it decides is in the control state")
    parser.add_argument("--exit-with-stdin", action="store_true",
                        help="end when standard input closes: no strays after a test")
    return parser.parse_args(arguments)


def make_tls(options):
    """None, or the endpoint's TLS. ssl is imported only here: it is slow to load."""
    if not options.tls_cert:
        return None
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.tls_max:
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = getattr(ssl.TLSVersion, "TLSv" + options.tls_max.replace(".", "_"))
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # Debian's OpenSSL speaks 1.1 at no other level
    if options.tls_ciphers:
        context.set_ciphers(options.tls_ciphers)
    context.load_cert_chain(options.tls_cert, options.tls_key)
    if options.tls_client_ca:
        context.load_verify_locations(options.tls_client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def make_services(options):
    """The three services, bound but not yet started."""
    script = scripts.load_all(options.script, options.set)
    metadata = Service(
        "metadata", options.bind, options.metadata_port,
        MetadataService(script["instance"], script.get("options", {})),
        Rules("metadata", script.get("metadata", [])),
        shorten=below_version, observe=RequestLog(options.log).observe)
    endpoint = Service(
        "endpoint", options.endpoint_bind, options.endpoint_port, Endpoint(options.receiver),
        Rules("endpoint", script.get("endpoint", [])),
        tls=make_tls(options), observe=Recorder(options.record).observe)
    control = Service("control", "127.0.0.1", options.control_port,
                      Control(metadata, endpoint), Rules("control", []))
    return metadata, endpoint, control


def allow_many_connections():
    """A fleet's worth: descriptors up to the hard limit, small stacks."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    threading.stack_size(256 * 1024)


def catch_signals():
    """A descriptor that turns readable at SIGTERM or SIGINT."""
    read_end, write_end = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(write_end, b"!"))
    return read_end


def wait_for_the_end(signalled, with_stdin):
    """Until a signal, or the end of standard input."""
    poll = select.poll()
    poll.register(signalled, select.POLLIN)
    if with_stdin:
        poll.register(0, select.POLLIN | select.POLLHUP)
    while True:
        for handle, _ in poll.poll():
            if handle == signalled or not os.read(0, 4096):
                return


def main(arguments):
    options = parse_arguments(arguments)
    allow_many_connections()
    try:
        services = make_services(options)
    except (ScriptError, OSError) as error:
        print("simulator: %s" % error, file=sys.stderr)
        return 2
    for service in services:
        service.start()
    signalled = catch_signals()  # before we say that we are there
    addresses = {service.name: service.url() for service in services}
    print(json.dumps(dict(addresses, pid=os.getpid())), flush=True)
    wait_for_the_end(signalled, options.exit_with_stdin)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
