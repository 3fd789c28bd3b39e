# What starts.sh and refused.sh have in common: rows.
# shellcheck shell=bash disable=SC2034,SC2086
DEADLINE=3s
FILESYSTEM=${FILESYSTEM:-xfs}
WIPE=', "on_foreign_data": "wipe"'
PREFORMATTED=', "on_foreign_data": "wipe-preformatted"'
REBUILD=', "on_partial": "rebuild"'

settings() {
    configure "{ \"ephemeral\": { \"expect\": ${EXPECT:-3}, \"deadline\": \"$DEADLINE\",
        \"volumes\": { \"scratch\": { \"filesystem\": \"$FILESYSTEM\" } } $1 } }"
}
# row NAME SETTINGS: blank disks, and this configuration; what follows prepares them.
row() {
    blank_disks
    settings "$2"
    ROW=$1
}
assemble() { "$MUSTER" run >/dev/null 2>&1 || fail "$ROW: assembled first"; }
# becomes_ready [DISKS]
becomes_ready() {
    check_status "$ROW: ready" 0 "$MUSTER" run --log-level debug >/run/log 2>&1 || tail -n 20 /run/log
    expect_match "$ROW: mounted" "/dev/mapper/muster-scratch /mnt/scratch $FILESYSTEM rw" "$(cat /proc/mounts)"
    expect_equal "$ROW: striped over ${1:-3}" "${1:-3} 256" \
        "$(dmsetup table muster-scratch | awk '{ print $4, $5 / 2 }')"
}
because() { query "$REPORT" '" ".join(f["message"] for f in it["findings"] if f["status"] != "pass")'; }
# refused REASON REGEX: what the report says, with no byte changed on any disk.
refused() {
    local before
    sync
    before=$(hash_disks $EPHEMERAL $EBS)
    check_status "$ROW: failed" 1 "$MUSTER" run >/dev/null 2>&1
    expect_equal "$ROW: the reason" "$1" "$(query "$REPORT" 'it["reason"]["code"]')"
    expect_match "$ROW: what it says" "$2" "$(because)"
    check_status "$ROW: plan refuses too" 1 "$MUSTER" plan >/dev/null 2>&1
    sync
    expect_equal "$ROW: every byte is as before" "$before" "$(hash_disks $EPHEMERAL $EBS)"
}
seqno() { vgs --noheadings -o vg_seqno muster | tr -d ' '; }
start_simulator --script healthy
