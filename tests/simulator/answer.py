"""An answer, and the actions of a script that spoil one.

The right answer is always made first, by the service itself; an action then
changes it. So an action composes with any path and with other actions, and a
script says only what is wrong, never what is right.
"""

import time

NOT_SAID = object()

REASONS = {
    200: "OK", 201: "Created", 202: "Accepted", 204: "No Content",
    301: "Moved Permanently", 302: "Found", 307: "Temporary Redirect", 308: "Permanent Redirect",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 408: "Request Timeout", 413: "Payload Too Large",
    425: "Too Early", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout",
}

# The metadata service's own error page, byte for byte in its shape: a client
# that takes any body for a value takes this one.
ERROR_PAGE = """<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{status} - {reason}</title>
 </head>
 <body>
  <h1>{status} - {reason}</h1>
 </body>
</html>
"""

PROXY_PAGE = """<!DOCTYPE html>
<html><head><title>Access to the network</title></head>
<body><h1>Sign in</h1><p>Please sign in to the proxy to continue.</p></body></html>
"""

# Every key an action may have, with the kinds of value it takes. What is not
# here is a mistake in the script and stops the simulator at once.
ACTIONS = {
    # what is said
    "status": (int,), "headers": (dict,), "retry_after": (int, float, str),
    "retry_after_date": (int, float), "redirect": (str,),
    "body": (str,), "empty": (bool,), "html": (bool,), "binary": (int,), "oversized": (int,),
    "instance": (dict,),
    "trailing_newline": (bool,), "crlf": (bool,), "duplicate": (bool,),
    # how it is said
    "delay": (int, float), "drip": (int, float), "drip_head": (int, float), "stall": (int,),
    "reset": (int, str), "close": (int,), "length_off_by": (int,), "chunked": (bool,),
    "keep_alive": (bool,), "hang_up": (bool,), "raw": (str,),
    # nothing is said
    "blackhole": (bool,), "down_for": (int, float),
}

# The part of an action that the server's sending side carries out.
WIRE = ("delay", "drip", "drip_head", "stall", "reset", "close", "length_off_by", "chunked",
        "keep_alive", "hang_up", "raw", "blackhole", "down_for")


class Answer:
    """Status, headers, body, and how they go over the wire."""

    def __init__(self, status=200, body=b"", content_type="text/plain", headers=None):
        self.status = status
        self.body = body.encode("utf-8") if isinstance(body, str) else body
        self.headers = {"Content-Type": content_type}
        self.headers.update(headers or {})
        self.filler = 0  # so many bytes in place of the body, made while sending
        self.wire = {}

    @property
    def seen_status(self):
        """The status that reaches the client; None if none ever does."""
        return None if is_silent(self.wire) or "raw" in self.wire else self.status

    @property
    def is_whole(self):
        """All of it reaches the client."""
        cut = [key for key in ("stall", "reset", "close") if key in self.wire]
        return (self.seen_status is not None and not cut
                and not self.wire.get("length_off_by"))


def is_silent(action):
    return bool(action.get("blackhole") or action.get("down_for")
                or action.get("reset") == "before")


def error_answer(status, headers=None):
    """The metadata service's page for a status."""
    page = ERROR_PAGE.format(status=status, reason=REASONS.get(status, "Unknown"))
    return Answer(status, page, "text/html", headers)


def http_date(when):
    """An HTTP-date. Not email.utils, which takes longer to import than we run."""
    now = time.gmtime(when)
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun",
              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return "%s, %02d %s %04d %02d:%02d:%02d GMT" % (
        days[now.tm_wday], now.tm_mday, months[now.tm_mon - 1], now.tm_year,
        now.tm_hour, now.tm_min, now.tm_sec)


def spoil(action, right):
    """The answer that `action` makes of the right one.

    `right(changes)` makes the right answer, with `changes` merged into the
    instance's values. It is called only if something of it is used: a token
    that a 503 hides was never handed out.
    """
    wire = {key: action[key] for key in WIRE if key in action}
    status = action.get("status")
    if is_silent(action):
        answer = Answer()
    elif status is not None and not 200 <= status < 300:
        answer = error_answer(status)
    else:
        answer = right(action.get("instance"))
        if status is not None and answer.status < 300:
            answer.status = status
            answer.body = b"" if status == 204 else answer.body
    if "redirect" in action:
        answer = Answer(action.get("status", 302), headers={"Location": action["redirect"]})
    _replace_body(action, answer)
    _edit_lines(action, answer)
    _edit_headers(action, answer)
    answer.wire = wire
    return answer


def _replace_body(action, answer):
    """What stands in for the body.

    A client's own mistake (no token, a bad ttl) keeps its 4xx, so that a
    script cannot make a broken client look well.
    """
    if "status" not in action and answer.status not in (200, 404):
        return
    body = NOT_SAID
    if "body" in action:
        body = action["body"].encode("utf-8")
    elif action.get("empty"):
        body = b""
    elif action.get("html"):
        body = PROXY_PAGE.encode("utf-8")
        answer.headers["Content-Type"] = "text/html; charset=utf-8"
    elif "binary" in action:
        # 00 ff fe fd ...: a NUL first, then bytes that no UTF-8 text has
        body = bytes(-n % 256 for n in range(action["binary"]))
    elif "oversized" in action:
        body = b""
        answer.filler = action["oversized"]
    if body is NOT_SAID:
        return
    answer.body = body
    answer.status = action.get("status", 200)


def _edit_lines(action, answer):
    if action.get("duplicate"):
        lines = answer.body.split(b"\n")
        answer.body = b"\n".join(line for line in lines for _ in range(2))
    if action.get("trailing_newline"):
        answer.body += b"\n"
    if action.get("crlf"):
        answer.body = answer.body.replace(b"\n", b"\r\n")


def _edit_headers(action, answer):
    if "retry_after" in action:
        answer.headers["Retry-After"] = str(action["retry_after"])
    if "retry_after_date" in action:
        answer.headers["Retry-After"] = http_date(time.time() + action["retry_after_date"])
    for name, value in action.get("headers", {}).items():
        if value is None:
            answer.headers.pop(name, None)
        else:
            answer.headers[name] = str(value)
