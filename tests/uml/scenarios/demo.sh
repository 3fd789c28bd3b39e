# What `./dev demo` shows. As a test it holds the demo to what it promises.
#: disks 4
#: ebs 1
#: boot
#: boot blank
muster_run() { # STATUS WHAT
    printf '\n$ muster run\n'
    "$MUSTER" run 2>&1 | cat
    local status=${PIPESTATUS[0]}
    printf '(exit status %s)\n' "$status"
    expect_equal "$2" "$1" "$status"
}
received() { # the last report that the endpoint was sent
    query "$REPORTS" 'json.dumps(it["json"], indent=2)'
}
configure '{ "ephemeral": { "expect": 4 } }'
case $BOOT in
1)
    say "a Linux kernel of its own, four blank disks, an EBS volume, an endpoint; the metadata"
    say "service refuses for 5 s, then answers 503, nothing, nothing, right, nothing, right"
    start_simulator --script misbehaving
    muster_run 0 "the first run is ready"
    say "what the endpoint holds"
    received | tee /run/received.json
    expect_equal "the endpoint holds ready" ready "$(query /run/received.json 'it["outcome"]')"
    cp /run/received.json /run/report.json
    keep /run/report.json

    say "the same again, on a machine that is done: nothing is changed"
    muster_run 0 "the second run is ready"
    expect_equal "and changed nothing" "[]" "$(query "$REPORTS" 'it["json"]["storage"]["changes"]')"
    printf '\n$ lvs\n'
    lvs -o vg_name,lv_name,stripes,lv_size,lv_tags,vg_tags
    printf '\n$ grep scratch /proc/mounts\n'
    grep scratch /proc/mounts
    ;;
2)
    say "the other half: a new instance, one of whose EBS volumes never attaches"
    configure '{ "ephemeral": { "expect": 4 }, "ebs": { "data": { "device": "/dev/sdf" }, "logs": { "device": "/dev/sdg", "deadline": "3s" } } }'
    start_simulator --script healthy
    muster_run 1 "the run has failed, and that is delivered"
    say "what the endpoint holds"
    received >/run/failed.json
    query /run/failed.json 'json.dumps({k: it[k] for k in ("outcome", "recreate", "reason")}, indent=2)'
    expect_equal "failed, and a new instance is advised" "failed ebs-missing True" \
        "$(query /run/failed.json '"{} {} {}".format(it["outcome"], it["reason"]["code"], it["recreate"])')"
    keep /run/failed.json
    ;;
esac
