"""What a scenario's shell takes Python for, in a process that is started once: to start one takes a third of a second in
User-Mode Linux. lib.sh (`ask`) writes a request into one FIFO, three texts that end in NUL, and reads its answer from
another one: a line with the status, then what is to be printed.
"""

import json
import os
import sys
import traceback
import urllib.request

REQUESTS, ANSWERS = "/run/assistant.requests", "/run/assistant.answers"
MIB = 1 << 20


def query(path, expression):
    """The expression over the JSON in a file, as `it`; of JSON lines, `them` is all of them and `it` the last."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        them = [json.loads(text)]
    except ValueError:
        them = [json.loads(line) for line in text.splitlines() if line.strip()]
    value = eval(expression, {"json": json, "them": them, "it": them[-1] if them else None})
    return value if isinstance(value, str) else json.dumps(value)


def simulator(door, body):
    """GET or POST to the simulator's own door: state, script, reset."""
    data = None if door == "state" else body.encode()
    request = urllib.request.Request("http://127.0.0.1:8081/_simulator/" + door, data)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as reply:
        return reply.read().decode()


def blank(devices, _):
    """Zeros at both ends, where anything lies that could be recognized."""
    for device in devices.split():
        disk = os.open(device, os.O_RDWR)
        size = os.lseek(disk, 0, os.SEEK_END)
        os.pwrite(disk, bytes(5 * MIB), 0)
        os.pwrite(disk, bytes(size - size // MIB * MIB + MIB), (size // MIB - 1) * MIB)
        os.fsync(disk)
        os.close(disk)
    return ""


def answer(kind, *arguments):
    try:
        return "0\n%s" % {"query": query, "simulator": simulator, "blank": blank}[kind](*arguments)
    except Exception:  # the scenario's expression may be wrong in any way
        return "1\n%s" % traceback.format_exc()


def main():
    # For writing too: it never comes to its end.
    with open(os.open(REQUESTS, os.O_RDWR), "rb", buffering=0) as requests:
        rest = b""
        while True:
            rest += requests.read(65536)
            while rest.count(b"\0") >= 3:
                *words, rest = rest.split(b"\0", 3)
                with open(ANSWERS, "w", encoding="utf-8") as file:
                    file.write(answer(*(word.decode() for word in words)) + "\n")


if __name__ == "__main__":
    sys.exit(main())
