# The agent is killed (-9) at random moments of its work; the next run always ends ready.
#: disks 4
#: time 300
#: variants rounds=5
#: soak rounds=100,time=3000
#: boot
configure '{ "ephemeral": { "expect": 4 } }'
start_simulator --script healthy
RANDOM=$SEED
say "seed $SEED"

for ((round = 1; round <= ${rounds:-10}; round++)); do
    blank_disks
    moment=$((RANDOM % 3000))
    "$MUSTER" run >/dev/null 2>&1 &
    agent=$!
    sleep "$((moment / 1000)).$(printf %03d $((moment % 1000)))"
    kill -9 "$agent" 2>/dev/null
    wait "$agent" 2>/dev/null
    before=$(lsblk -rno NAME,FSTYPE,MOUNTPOINT /dev/loop0 2>/dev/null | tr '\n' ' ')
    check_status "killed after $moment ms ($before): ready" 0 "$MUSTER" run >/run/out 2>&1 || cat /run/out
    expect_match "mounted" "/mnt/scratch xfs rw" "$(cat /proc/mounts)"
    expect_equal "striped over four" 4 "$(lvs --noheadings -o stripes muster/scratch | tr -d ' ')"
done
check_not "LVM's nodes are gone" test -e /dev/.muster

# A command that a killed run has left behind, and that still writes, keeps the nodes that it writes through.
mkdir /dev/.muster
mknod /dev/.muster/loop0 b 7 0
flock --shared /run/muster/disks.lock sleep infinity &
left=$!
configure '{ "ephemeral": { "expect": 4, "deadline": "2s" } }'
check_status "run beside it: not ready" 1 "$MUSTER" run
expect_equal "and why" ephemeral-stuck "$(query "$REPORT" 'it["reason"]["code"]')"
check "its node is there" test -b /dev/.muster/loop0
pkill -P "$left"
wait "$left"
check_status "run after it: ready" 0 "$MUSTER" run
check_not "the node is gone" test -e /dev/.muster
expect_equal "no process of ours is left" "" "$(ps -eo pid=,comm= | grep muster)"
