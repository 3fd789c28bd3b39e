# Mode observe, and configurations that are wrong: no byte of any disk changes.
#: disks 4
#: size 32M
#: boot
before=$(hash_disks $EPHEMERAL)
unchanged() { expect_equal "$1: every byte is as before" "$before" "$(hash_disks $EPHEMERAL)"; }
start_simulator --script healthy

configure '{ "mode": "observe", "ephemeral": { "expect": 4 } }'
check_status "observe: ready and delivered" 0 "$MUSTER" run
expect_equal "the report says that nothing was enforced" false "$(query "$REPORTS" 'it["json"]["enforced"]')"
expect_match "and what would have been done" \
    "create the volume group muster.*create the volume scratch.*make xfs.*mount scratch" \
    "$(query "$REPORTS" 'it["json"]["storage"]["would_change"]')"
check_not "nothing is mounted" mountpoint -q /mnt/scratch
unchanged observe

configure '{ "ephemeral": { "expect": 4, "layuot": "striped" } }'
check_status "an unknown key under ephemeral: failed and delivered" 1 "$MUSTER" run
expect_match "it is found" config-unknown-key "$(cat "$REPORT")"
unchanged "unknown key"

configure '{ "ephemeral": { "expect": "four" } }'
check_status "a wrong value: 2" 2 "$MUSTER" run
expect_equal "config-invalid is delivered where the first file says" config-invalid \
    "$(query "$REPORTS" 'it["json"]["reason"]["code"]')"
expect_match "it names file and key" "/etc/muster/conf.d/10.json.*ephemeral.expect" \
    "$(query "$REPORTS" 'it["json"]["reason"]["message"]')"
unchanged "wrong value"

configure '{ "ephemeral": { "expect": 4 } '
check_status "no JSON: 2" 2 "$MUSTER" run
unchanged "no JSON"
