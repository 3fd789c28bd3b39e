# EBS volumes that are attached while `muster run` waits for them, found by the kernel's event: the only other look
# is at the deadline, ten minutes away. An NVMe one is found by its id, and one without a model and serial, as on Xen,
# by the name that it was attached as. A wrong volume at that name is `ebs-wrong`; one that never comes is
# `ebs-missing` at its deadline.
#
# The Xen-like one is a virtio disk that is plugged into the running machine. Its name is made beforehand, for the
# number that it will have: a Xen kernel calls it xvdf by itself. As it has no serial, what shows it for the wrong
# one is its size. NVMe disks of the kernel's target have no name in Identify, so none can be at a wrong one.
#: disks 0
#: ebs 1
#: slots 1
#: time 420
#: variants after=4
#: soak after=20,times=10,time=900 after=4,kernel=nvme_core.multipath=N
after=${after:-4}        # seconds after muster has begun to wait
times=${times:-1}        # the NVMe volume is attached
volume=vol-0123456789abcde00
serial_of ebs0

# run_in_background CONFIGURATION...: until muster waits.
run_in_background() {
    configure '{ "deadline": "700s", "ephemeral": { "expect": "none" } }' "$@"
    rm -f /run/run.out
    "$MUSTER" run --log-level debug >/run/run.out 2>&1 &
    agent=$!
    check "muster waits" wait_for grep -q 'waiting for=".*EBS volume' /run/run.out
}

# added NODE: when the kernel said so last, by its clock, in milliseconds.
added() {
    awk -v node="/$1" '/^KERNEL/ && $2 == "add" && index($3, node) == length($3) - length(node) + 1 {
            split($1, part, /[][]/); at = part[2] } END { printf "%d", at * 1000 }' /run/uevents
}
# found VOLUME: when muster found it, by the same clock: the wait began with the stage.
found() {
    query "$REPORT" "round(1000 * (it['uptime_at_start'] + [t['start'] for t in it['timings'] if t['stage'] == 'ebs'][0]
        + [w['seconds'] for w in it['waits'] if w['for'] == 'ebs $1'][0]))"
}
finding() { query "$REPORT" "[f['status'] for f in it['findings'] if f['subject'] == '$1']"; }
expect_soon() { # VOLUME NODE
    local event took
    event=$(added "$2") took=$(($(found "$1") - $(added "$2")))
    check "$1: the kernel told of $2 ($event)" test "$event" -gt 0
    in_time "$1: found at that" 0 "$took"
}

start_simulator --script nvme
udevadm monitor --kernel --subsystem-match=block >/run/uevents &
monitor=$!
numbers=$(awk '$2 == "virtblk" { print $1 }' /proc/devices)
mknod /dev/xvdf b "$numbers" 16 # the source is vda
nvme='"data": { "volume_id": "'$volume'", "deadline": "600s", "polls": ["1ms"] }'
xen='"logs": { "device": "/dev/sdf", "deadline": "600s", "polls": ["1ms"] }'

# Both come late, one after the other.
disconnect ebs0
check "the NVMe volume is detached" wait_for test ! -e "/dev/$EBS"
run_in_background "{ \"ebs\": { $nvme, $xen } }"
sleep "$after"
connect ebs0
sleep 2
expect_equal "the other is plugged" plugged "$(host plug 64M)"
wait "$agent"
expect_equal "run: ready and delivered" 0 $?
cat /run/run.out
expect_equal "the endpoint holds ready" ready "$(query "$REPORTS" 'it["json"]["outcome"]')"
name_disks
expect_soon data "$EBS"
expect_soon logs vdb
expect_equal "both answer reads" '["pass"] ["pass"]' "$(finding data) $(finding logs)"
keep "$REPORT" /run/uevents

# The same name, and a smaller volume than was promised.
configure '{ "ephemeral": { "expect": "none" }, "ebs": { "logs": { "device": "/dev/sdf", "min_size": "1GiB" } } }'
check_status "a wrong volume: failed and delivered" 1 "$MUSTER" run
expect_equal "ebs-wrong, and nobody is to recreate" "ebs-wrong false" \
    "$(query "$REPORTS" '"{} {}".format(it["json"]["reason"]["code"], str(it["json"]["recreate"]).lower())')"

# Nobody attaches it.
configure '{ "ephemeral": { "expect": "none" }, "ebs": { "never": { "volume_id": "vol-0fedcba9876543210", "deadline": "5s" } } }'
check_status "one that never comes: failed and delivered" 1 "$MUSTER" run
expect_equal "ebs-missing, recreate" "ebs-missing true" \
    "$(query "$REPORTS" '"{} {}".format(it["json"]["reason"]["code"], str(it["json"]["recreate"]).lower())')"
waited=$(query "$REPORT" "[round(1000 * w['seconds']) for w in it['waits'] if w['for'] == 'ebs never'][0]")
check "not before its deadline of 5 s ($waited ms)" test "$waited" -ge 5000
in_time "at its deadline" 5 "$waited"

# Again and again, for how quick that is.
for ((i = 2; i <= times; i++)); do
    disconnect ebs0
    check "detached again ($i)" wait_for test ! -e "/dev/$EBS"
    run_in_background "{ \"ebs\": { $nvme } }"
    sleep "2.$((RANDOM % 10))"
    connect ebs0
    wait "$agent"
    expect_equal "run $i: ready and delivered" 0 $?
    name_disks
    expect_soon data "$EBS"
done
kill "$monitor"
