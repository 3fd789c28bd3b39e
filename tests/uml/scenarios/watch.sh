# `muster watch` on a real kernel: a volume that hangs is `degraded`, with one helper at it however often it is
# looked at, and `recovered` when it comes back; meanwhile a root that nobody writes to.
#: disks 0
#: jobs 1
#: ebs 2
#: time 200
#: variants seconds=10
#: soak seconds=600,time=900
#: boot
sectors=$(blockdev --getsz /dev/loop0)
dmsetup create ebs --table "0 $sectors linear /dev/loop0 0"
losetup --direct-io=on /dev/loop2 /dev/mapper/ebs
mknod /dev/xvdp b 7 2
# Root is a file system of its own: every write to it is counted by its device. Whole from the start: what mkfs
# leaves for later the kernel's ext4lazyinit zeroes in the background, for seconds after the mount.
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/loop1
root=/run/root
mkdir -p $root
mount /dev/loop1 $root
mkdir -p $root/{proc,sys,dev,run,etc/muster,var/lib}
for folder in proc sys dev run etc/muster; do mount --bind /$folder $root/$folder; done
cp "$MUSTER" $root/muster
udevadm settle
start_simulator --script healthy
configure '{ "ephemeral": { "expect": "none" }, "root": { "io_deadline": "3s" },
    "ebs": { "data": { "device": "/dev/sdp" } },
    "watch": { "interval": "2s", "bad": 2, "of": 3, "heartbeat": "5s" } }'

outcomes() { query "$REPORTS" '" ".join(r["json"]["outcome"] for r in them if r["json"]["outcome"] not in ("notice", "in-progress"))'; }
last_is() { [[ $(outcomes) == *"$1" ]]; }
helpers() { ps -eo stat=,comm= | grep -c '^D.*muster-helper'; }
writes() { awk '{ print $7 }' /sys/block/loop1/stat; }
used() { # CPU seconds (all of its processes), and KiB of memory
    local pid seconds=0 ticks
    for pid in $(pgrep -x muster) $(pgrep muster-nursery); do
        read -ra ticks <"/proc/$pid/stat"
        seconds=$((seconds + ticks[13] + ticks[14] + ticks[15] + ticks[16]))
    done
    echo "$seconds $(awk '/VmRSS/ { print $2 }' "/proc/$watcher/status")"
}

check_status "the boot" 0 chroot $root /muster run
chroot $root /muster watch >/run/log 2>&1 &
watcher=$!
heartbeats() { query "$REPORTS" 'sum((r["json"].get("notice") or {}).get("kind") == "heartbeat" for r in them)'; }
has_heartbeats() { (($(heartbeats) >= $1)); }
check "it is up" wait_for has_heartbeats 1
sync
before=$(writes)
read -r ticks_before memory_before <<<"$(used)"
sleep "${seconds:-10}"
read -r ticks_after memory_after <<<"$(used)"
expect_equal "root was not written to" "$before" "$(writes)"
say "idle for ${seconds:-10} s with a look each 2 s: $(((ticks_after - ticks_before) * 10)) ms of processor time, $memory_after KiB resident (before: $memory_before)"
check "its memory does not grow" test "$memory_after" -le $((memory_before + 512))
check "and is under 16 MiB" test "$memory_after" -lt 16384
check "heartbeats go on" wait_for has_heartbeats 3
expect_equal "nothing is wrong" "ready" "$(outcomes)"

dmsetup suspend --nolockfs ebs
check "degraded" wait_for last_is degraded
expect_equal "for the right reason" ebs-stuck "$(query "$REPORTS" '[r for r in them if r["json"]["outcome"] == "degraded"][0]["json"]["reason"]["code"]')"
expect_equal "which condemns nobody" false "$(query "$REPORTS" '[r for r in them if r["json"]["outcome"] == "degraded"][0]["json"]["recreate"]')"
check "heartbeats go on all the same" wait_for has_heartbeats $(($(heartbeats) + 3)) # one in 5 s, a look in 2
expect_equal "one helper hangs on it, however often it is looked at" 1 "$(helpers)"
dmsetup resume ebs
check "recovered" wait_for last_is recovered
no_helper() { [[ $(helpers) == 0 ]]; }
check "no helper is left" wait_for no_helper
expect_equal "once each" "ready degraded recovered" "$(outcomes)"

kill -TERM $watcher
wait $watcher
expect_equal "it ends well" 0 $?
expect_equal "and says goodbye" "ready degraded recovered stopping" "$(outcomes)"
check "nobody is left" wait_for bash -c '! ps -eo comm= | grep -q muster'
