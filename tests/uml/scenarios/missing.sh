# Too few disks, or a volume that never attaches: failed in time, with the advice to recreate.
#: disks 3
#: ebs 1
#: size 32M
#: boot
before=$(hash_disks $EPHEMERAL)
start_simulator --script healthy

configure '{ "ephemeral": { "expect": 4, "deadline": "2s" } }'
check_status "three of four disks: failed and delivered" 1 "$MUSTER" run
expect_equal "the reason" ephemeral-missing "$(query "$REPORTS" 'it["json"]["reason"]["code"]')"
expect_equal "recreate" true "$(query "$REPORTS" 'it["json"]["recreate"]')"
expect_equal "nothing is written to the three" "$before" "$(hash_disks $EPHEMERAL)"

configure '{ "ephemeral": { "expect": "none" }, "ebs": { "data": { "device": "/dev/sdz", "deadline": "2s" } } }'
check_status "no such volume: failed and delivered" 1 "$MUSTER" run
expect_equal "the reason" ebs-missing "$(query "$REPORTS" 'it["json"]["reason"]["code"]')"
expect_equal "recreate" true "$(query "$REPORTS" 'it["json"]["recreate"]')"

configure '{ "ephemeral": { "expect": "none" }, "ebs": { "data": { "device": "/dev/sdf", "min_size": "1GiB" } } }'
check_status "a volume that is too small: failed and delivered" 1 "$MUSTER" run
expect_equal "the reason" ebs-wrong "$(query "$REPORTS" 'it["json"]["reason"]["code"]')"
