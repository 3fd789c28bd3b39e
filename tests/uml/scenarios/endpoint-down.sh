# The endpoint is down: the verdict waits in the spool, and is delivered once when the endpoint is back.
#: disks 2
#: boot
configure '{ "report": { "deadline": "4s" }, "ephemeral": { "expect": 2 } }'
start_simulator --script healthy --script endpoint_down
check_status "ready, not delivered" 3 "$MUSTER" run
check "the disks are there all the same" mountpoint -q /mnt/scratch
expect_equal "one report in the spool" 1 "$(find /run/muster/spool -type f | wc -l)"
check_status "deliver: something remains" 3 "$MUSTER" deliver
expect_equal "still one report in the spool" 1 "$(find /run/muster/spool -type f | wc -l)"

simulator script '{ "endpoint": [] }' >/dev/null
check_status "deliver: nothing remains" 0 "$MUSTER" deliver
expect_equal "delivered once" 1 "$(query "$REPORTS" 'len([r for r in them if r["json"]["outcome"] == "ready" and r["status"] == 200])')"
expect_equal "the spool is empty" 0 "$(find /run/muster/spool -type f | wc -l)"
check_status "deliver again: nothing to do" 0 "$MUSTER" deliver
expect_equal "and nothing is sent twice" 1 "$(query "$REPORTS" 'len([r for r in them if r["json"]["outcome"] == "ready" and r["status"] == 200])')"

configure '{ "report": { "deadline": "4s" }, "ephemeral": { "expect": 3, "deadline": "1s" } }'
simulator script '{ "endpoint": [{ "refuse": true }] }' >/dev/null
check_status "failed, not delivered" 4 "$MUSTER" run
