# The metadata service as the field reports saw it: refused for five seconds, then 503, then an empty
# mapping twice, then right, then empty, then right.
#: disks 4
#: boot
configure '{ "ephemeral": { "expect": 4 } }'
start_simulator --script misbehaving
check_status "run: ready and delivered" 0 "$MUSTER" run
expect_equal "the endpoint holds ready" ready "$(query "$REPORTS" 'it["json"]["outcome"]')"
expect_equal "with the right disks" "/dev/loop0 /dev/loop1 /dev/loop2 /dev/loop3" \
    "$(query "$REPORT" '" ".join(d["name"] for d in it["storage"]["devices"])')"
query "$REPORT" 'it["metadata"]'
check_count() { # WHAT EXPRESSION
    expect_equal "counted: $1" true "$(query "$REPORT" "$2")"
}
check_count "refused" 'it["metadata"]["failures"]["refused"] >= 2'
check_count "503" 'it["metadata"]["failures"]["http 503"] == 2'
check_count "empty, three times" 'it["metadata"]["empty"] == 3'
check_count "retries: all of these" \
    'it["metadata"]["retries"] == it["metadata"]["empty"] + sum(it["metadata"]["failures"].values())'
check_count "the wait for metadata, in seconds" '5 < it["waits"][0]["seconds"]'
keep "$REPORT" "$REQUESTS"
