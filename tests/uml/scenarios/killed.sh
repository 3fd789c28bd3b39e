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
    check_status "killed after $moment ms ($before): ready" 0 "$MUSTER" run >/run/out 2>&1
    tail -n 1 "$SAID" | grep -q '^ok' || cat /run/out
    expect_match "mounted" "/mnt/scratch xfs rw" "$(cat /proc/mounts)"
    expect_equal "striped over four" 4 "$(lvs --noheadings -o stripes muster/scratch | tr -d ' ')"
done
expect_equal "no process of ours is left" "" "$(ps -eo pid=,comm= | grep muster)"
