# A machine that failed and could not say so ends itself, unless held; its verdict survives that, and the next
# boot sends it.
#: disks 0
#: jobs 1
#: time 240
#: console powering off now
#: boot off
#: boot
case $BOOT in
1)
    start_simulator --script healthy --script endpoint_down
    configure '{ "report": { "deadline": "2s" }, "checks": { "bad": { "command": ["/bin/false"], "recreate": true } } }' \
        '{ "on_failure": { "action": "poweroff", "delay": "1s" }, "ephemeral": { "expect": "none" } }'
    mkdir -p /run/muster
    touch /run/muster/hold
    check_status "held: failed, not delivered, and still here" 4 "$MUSTER" run
    rm /run/muster/hold
    simulator script '{ "instance": { "tags": { "instance": { "muster:hold": "" } } } }' >/dev/null
    check_status "held by a tag without a value: still here" 4 "$MUSTER" run
    simulator script '{ "instance": { "tags": null } }' >/dev/null
    configure '{ "report": { "deadline": "2s" }, "checks": { "bad": { "command": ["/bin/false"], "recreate": false } } }' \
        '{ "on_failure": { "action": "poweroff", "delay": "1s" }, "ephemeral": { "expect": "none" } }'
    check_status "recreate is not advised: still here" 4 "$MUSTER" run
    configure '{ "mode": "observe", "checks": { "bad": { "command": ["/bin/false"], "recreate": true } } }' \
        '{ "on_failure": { "action": "poweroff", "delay": "1s" }, "report": { "deadline": "2s" } }'
    check_status "observing: still here" 4 "$MUSTER" run
    configure '{ "report": { "deadline": "2s" }, "checks": { "bad": { "command": ["/bin/false"], "recreate": true } } }' \
        '{ "on_failure": { "action": "poweroff", "delay": "600s" }, "ephemeral": { "expect": "none" } }'
    "$MUSTER" run 2>/run/stopped.log &
    running=$!
    check "it says what it is about to do" wait_for grep -q 'powering off in' /run/stopped.log
    kill -TERM "$running"
    wait "$running"
    expect_equal "told to stop: still here" 4 $?
    configure '{ "report": { "deadline": "2s" }, "checks": { "bad": { "command": ["/bin/false"], "recreate": true } } }' \
        '{ "on_failure": { "action": "poweroff", "delay": "1s" }, "ephemeral": { "expect": "none" } }'
    "$MUSTER" run
    fail "the machine is still on"
    ;;
2)
    start_simulator --script healthy
    configure '{ "ephemeral": { "expect": "none" } }'
    check_status "ready and delivered" 0 "$MUSTER" run
    check_status "what the first boot left is sent" 0 "$MUSTER" deliver
    expect_equal "five verdicts, all of a boot that is over" 5 \
        "$(query "$REPORTS" 'len([r for r in them if r["json"].get("superseded") and r["json"]["outcome"] == "failed"])')"
    expect_equal "nothing is left" 0 "$(find /var/lib/muster/spool /run/muster/spool -name '*.json' | wc -l)"
    ;;
esac
