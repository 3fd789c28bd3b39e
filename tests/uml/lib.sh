# Functions for scenarios. Sourced inside the kernel by init, this one's or ami's; see README.md.
# shellcheck shell=bash
set -u

say() { printf -- '-- %s\n' "$*"; }

# Both record one check: a line of $SAID that the host judges, and one on the console.
pass() { printf 'CHECK ok %s\n' "$*"; printf 'ok %s\n' "$*" >>"$SAID"; }
fail() { printf 'CHECK FAIL %s\n' "$*"; printf 'FAIL %s\n' "$*" >>"$SAID"; }

# check WHAT COMMAND...: the command succeeds. Its output is shown only if it does not.
check() {
    local what=$1 output status
    shift
    output=$("$@" 2>&1)
    status=$?
    if [[ $status == 0 ]]; then
        pass "$what"
    else
        fail "$what (status $status: $*)"
        printf '%s\n' "$output"
    fi
    return $status
}

# check_not WHAT COMMAND...: the command fails.
check_not() {
    local what=$1
    shift
    if "$@" >/dev/null 2>&1; then fail "$what ($*)"; else pass "$what"; fi
}

# check_status WHAT STATUS COMMAND...: the command ends with just that status. Its output is shown.
check_status() {
    local what=$1 expected=$2 status
    shift 2
    "$@"
    status=$?
    if [[ $status == "$expected" ]]; then pass "$what"; else fail "$what (status $status, not $expected)"; fi
}

# expect_equal WHAT EXPECTED ACTUAL
expect_equal() {
    if [[ $2 == "$3" ]]; then pass "$1"; else
        fail "$1"
        printf '   expected: %s\n   actual:   %s\n' "$2" "$3"
    fi
}

# expect_match WHAT REGEX ACTUAL
expect_match() {
    if [[ $3 =~ $2 ]]; then pass "$1"; else
        fail "$1"
        printf '   expected to match: %s\n   actual: %s\n' "$2" "$3"
    fi
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

# From here the host counts the seconds of `#: boot cut=`.
mark_cut() { echo "cut $BOOT" >>"$SAID"; }

# Files put here are found beside the console log afterwards.
keep() {
    mkdir -p "$WORK/keep"
    cp -r "$@" "$WORK/keep/"
}

# hash_disks NAME...: a hash of every byte of each disk, past no cache: what the kernel would read.
hash_disks() {
    local name
    for name in "$@"; do
        blockdev --flushbufs "/dev/$name" 2>/dev/null
        printf '%s %s\n' "$name" "$(sha256sum <"/dev/$name" | cut -d' ' -f1)"
    done
}

# blank_disks: the ephemeral disks as they were delivered; what is left of an assembly is taken down.
blank_disks() {
    umount /mnt/scratch 2>/dev/null
    local name size
    for name in $(dmsetup ls 2>/dev/null | grep -v 'No devices' | cut -f1); do
        dmsetup remove --retry "$name" 2>/dev/null
    done
    for name in $EPHEMERAL; do
        size=$(blockdev --getsize64 "/dev/$name")
        dd if=/dev/zero of="/dev/$name" bs=1M count=5 conv=notrunc,fsync status=none
        dd if=/dev/zero of="/dev/$name" bs=1M seek=$((size / 1048576 - 1)) count=1 conv=notrunc,fsync status=none
    done
    udevadm settle --timeout=10
}

# write_md DISK VERSION: a member of an md array that no longer runs. udev holds the new array open for a
# moment, so that --stop may be refused; and it would start what it finds again.
write_md() {
    local array=/dev/md2${1#/dev/loop}
    mkdir -p /etc/mdadm
    echo "AUTO -all" >/etc/mdadm/mdadm.conf
    mdadm --create "$array" --run --force --level=1 --metadata="$2" --raid-devices=1 "$1" </dev/null >/dev/null 2>&1
    wait_for 10 mdadm --stop "$array" || fail "the array on $1 is stopped"
    udevadm settle --timeout=10
}

# mapping: the block device mapping that the metadata service should tell of, as JSON.
mapping() {
    local text='"ami": "sda1", "root": "/dev/sda1"' name i=0
    for name in $EPHEMERAL; do
        text+=", \"ephemeral$i\": \"${name/xvd/sd}\""
        i=$((i + 1))
    done
    i=1
    for name in $EBS; do
        text+=", \"ebs$i\": \"${name/xvd/sd}\""
        i=$((i + 1))
    done
    printf '{ %s }' "$text"
}

# start_simulator [OPTION...]: the metadata service at 169.254.169.254:80 and the endpoint at
# 127.0.0.1:8080, told of this machine's disks. OPTIONS are simulator.py's: --script NAME, --set ...
# What the endpoint was sent is in $REPORTS, one JSON a line; what metadata was asked, in $REQUESTS.
REPORTS=$WORK/reports.jsonl
REQUESTS=$WORK/requests.jsonl
start_simulator() {
    local output=/run/simulator.out
    rm -f "$output"
    /usr/bin/python3 "$SOURCE/tests/simulator/simulator.py" \
        --bind 169.254.169.254 --metadata-port 80 \
        --endpoint-bind 127.0.0.1 --endpoint-port 8080 --control-port 8081 \
        --record "$REPORTS" --log "$REQUESTS" \
        --set "instance.block-device-mapping=$(mapping)" "$@" >"$output" 2>&1 </dev/null &
    SIMULATOR=$!
    wait_for 20 grep -q pid "$output" || { fail "the simulator starts"; cat "$output"; return 1; }
}

# configure JSON...: what muster's configuration adds to a webhook at the endpoint and a file.
REPORT=/run/muster/report.json
configure() {
    mkdir -p /etc/muster/conf.d
    rm -f /etc/muster/conf.d/*
    printf '{ "report": { "to": { "scaler": { "type": "webhook", "url": "%s/v1/reports", "required": true } } } }' \
        "${ENDPOINT:-http://127.0.0.1:8080}" >/etc/muster/muster.json
    local part number=10
    for part in "$@"; do
        printf '%s' "$part" >"/etc/muster/conf.d/$number.json"
        number=$((number + 1))
    done
}

stop_simulator() {
    kill "$SIMULATOR" 2>/dev/null
    wait "$SIMULATOR" 2>/dev/null
}
# simulator DOOR [JSON]: GET or POST to the simulator's own door: state, script, reset.
simulator() {
    /usr/bin/python3 -c '
import sys, urllib.request
url = "http://127.0.0.1:8081/_simulator/" + sys.argv[1]
data = sys.argv[2].encode() if len(sys.argv) > 2 else None
if sys.argv[1] != "state" and data is None: data = b""
print(urllib.request.urlopen(urllib.request.Request(url, data)).read().decode())' "$@"
}

# query FILE EXPRESSION: a Python expression over the JSON in FILE, as `it`; of JSON lines, `them` is
# all of them and `it` the last.
query() {
    /usr/bin/python3 - "$@" <<'PYTHON'
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    text = file.read()
try:
    them = [json.loads(text)]
except ValueError:
    them = [json.loads(line) for line in text.splitlines() if line.strip()]
it = them[-1] if them else None
value = eval(sys.argv[2])
print(value if isinstance(value, str) else json.dumps(value))
PYTHON
}
