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
    if [[ $status == "$expected" ]]; then
        pass "$what"
    else
        fail "$what (status $status, not $expected)"
        return 1
    fi
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

# ---- time ----------------------------------------------------------------------------------------------
# A limit is there to end what hangs. It is in seconds of the machine on which it was chosen, at rest; here these
# last as long as the metronome says.

# metronome: measures for as long as it runs. Its work is what most of the time of a scenario goes into: processes
# are made, and a shell computes. It opens no file, which a root that is stopped would not let it.
metronome() {
    local began took i pipe
    mkfifo /run/metronome
    exec {pipe}<>/run/metronome # to wait without a program
    while :; do
        began=${EPOCHREALTIME/./}
        (:)
        (:)
        for ((i = 0; i < 1000; i++)); do :; done
        took=$((${EPOCHREALTIME/./} - began))
        echo $((took * 100 / REFERENCE_US)) >/run/pace
        echo "pace $((took * 100 / REFERENCE_US))" >>"$SAID"
        read -r -t 5 -u "$pipe" || :
    done
}

# slowness: how many times as slow this machine is just now, in hundredths, into $slowness.
slowness() {
    slowness=100
    read -r slowness 2>/dev/null </run/pace
    ((slowness >= 100)) || slowness=100
}

# scaled SECONDS: of the reference machine; here, whole ones, into $scaled.
scaled() {
    slowness
    scaled=$((($1 * slowness + 99) / 100))
}

# wait_for COMMAND...: until the command succeeds, for a minute at the most.
wait_for() {
    local began=$SECONDS
    until "$@" >/dev/null 2>&1; do
        scaled 60
        if ((SECONDS - began > scaled)); then
            say "waited for $((SECONDS - began)) s in vain: $*; this machine is $slowness % of the reference's time"
            return 1
        fi
        sleep 0.1
    done
}

# in_time WHAT LIMIT MILLISECONDS: what has a limit of so many seconds took that long and no longer, but for what the
# machine needs to notice and to tell it.
in_time() {
    local what=$1 limit=$2 took=$3
    scaled 5
    if ((took <= (limit + scaled) * 1000)); then
        pass "$what ($took ms, limit $limit s)"
    else
        fail "$what: $took ms, expected at most $limit s and $scaled s more; this machine is $slowness % of the reference's time"
    fi
}

# milliseconds: of the clock, into $milliseconds.
milliseconds() { milliseconds=$((${EPOCHREALTIME/./} / 1000)); }

# From here the host counts the seconds of `#: boot cut=`.
mark_cut() { echo "cut $BOOT" >>"$SAID"; }

# Files put here are found beside the console log afterwards.
keep() {
    mkdir -p "$WORK/keep"
    cp -r "$@" "$WORK/keep/"
}

# ---- what is asked of another process ------------------------------------------------------------------
# host REQUEST...: asks what runs outside of the machine (door.py); prints its answer, a line. No program is
# started for it, and nothing is read from the root: it works while that is stopped.
host() {
    local answer
    [[ -n ${HOST_DOOR:-} ]] || exec {HOST_DOOR}<>"$DOOR"
    printf '%s\n' "$*" >&"$HOST_DOOR"
    read -r -t "${HOST_PATIENCE:-600}" -u "$HOST_DOOR" answer || { fail "the host answers: $*"; return 1; }
    printf '%s\n' "$answer"
}

# start_assistant: by init, for `ask`.
start_assistant() {
    mkfifo /run/assistant.requests /run/assistant.answers
    /usr/bin/python3 -S -E "$SOURCE/tests/uml/assistant.py" &
}

# ask REQUEST ARGUMENT ARGUMENT: of assistant.py; prints its answer.
ask() {
    local answer
    printf '%s\0' "$1" "$2" "$3" >/run/assistant.requests
    answer=$(</run/assistant.answers)
    [[ ${answer%%$'\n'*} == 0 ]] || { printf '%s\n' "$answer" >&2; return 1; }
    [[ $answer == 0 ]] || printf '%s\n' "${answer#*$'\n'}" # nothing: the shell has taken its end of line
}

# query FILE EXPRESSION: a Python expression over the JSON in FILE, as `it`; of JSON lines, `them` is
# all of them and `it` the last.
query() { ask query "$1" "$2"; }

# simulator DOOR [JSON]: GET or POST to the simulator's own door: state, script, reset.
simulator() { ask simulator "$1" "${2:-}"; }

# hash_disks NAME...: a hash of every byte of each disk. In UML the host reads it, from the disk's file: what is still on
# its way there goes first, through the disk and then through the file. What is no hash fails: two equal errors would
# look like a disk that nothing has changed.
# shellcheck disable=SC2206  # words
all_disks=($EPHEMERAL $EBS)
hash_disks() {
    local name file hash
    [[ -z ${UML:-} ]] || { sync; sync; }
    for name in "$@"; do
        if [[ -n ${UML:-} ]]; then
            file=$name.disk
            [[ $name != loop* ]] || file=${all_disks[${name#loop}]}.disk
            hash=$(host hash "$file")
        else
            blockdev --flushbufs "/dev/$name" 2>/dev/null
            hash=$(sha256sum <"/dev/$name" | cut -d' ' -f1)
        fi
        [[ $hash =~ ^[0-9a-f]{64}$ ]] || fail "the hash of $name: $hash"
        printf '%s %s\n' "$name" "$hash"
    done
}

# blank_disks: the ephemeral disks as they were delivered; what is left of an assembly is taken down.
blank_disks() {
    umount /mnt/scratch 2>/dev/null
    local node name nodes=''
    for node in /sys/block/dm-*/dm/name; do
        if [[ -e $node ]]; then
            read -r name <"$node"
            dmsetup remove --retry "$name" 2>/dev/null
        fi
    done
    for name in $EPHEMERAL; do nodes+=" /dev/$name"; done
    ask blank "$nodes" ''
    udevadm settle --timeout=10
}

# write_md DISK VERSION: a member of an md array that no longer runs. udev holds the new array open for a
# moment, so that --stop may be refused; and it would start what it finds again.
write_md() {
    local array=/dev/md2${1//[^0-9]/}
    mkdir -p /etc/mdadm
    echo "AUTO -all" >/etc/mdadm/mdadm.conf
    mdadm --create "$array" --run --force --level=1 --metadata="$2" --raid-devices=1 "$1" </dev/null >/dev/null 2>&1
    wait_for mdadm --stop "$array" || fail "the array on $1 is stopped"
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

# xen_type: the instance type that the metadata service should tell of, into $xen_type: one with that many ephemeral
# disks. What a name beyond their number leads to is none.
# shellcheck disable=SC2086  # words
xen_type() {
    set -- $EPHEMERAL
    xen_type=m1.xlarge
    (($# <= 4)) || xen_type=i2.8xlarge
    (($# <= 8)) || xen_type=d2.8xlarge
}

# start_simulator [OPTION...]: the metadata service at 169.254.169.254:80 and the endpoint at
# 127.0.0.1:8080, told of this machine's disks. OPTIONS are simulator.py's: --script NAME, --set ...
# What the endpoint was sent is in $REPORTS, one JSON a line; what metadata was asked, in $REQUESTS.
REPORTS=$WORK/reports.jsonl
REQUESTS=$WORK/requests.jsonl
start_simulator() {
    local output=/run/simulator.out
    rm -f "$output"
    xen_type
    [[ -z ${UML:-} ]] || set -- --set "instance.instance-type=$xen_type" "$@"
    /usr/bin/python3 "$SOURCE/tests/simulator/simulator.py" \
        --bind 169.254.169.254 --metadata-port 80 \
        --endpoint-bind 127.0.0.1 --endpoint-port 8080 --control-port 8081 \
        --record "$REPORTS" --log "$REQUESTS" \
        --set "instance.block-device-mapping=$(mapping)" "$@" >"$output" 2>&1 </dev/null &
    SIMULATOR=$!
    wait_for grep -q pid "$output" || { fail "the simulator starts"; cat "$output"; return 1; }
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
