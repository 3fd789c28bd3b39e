# EBS volumes that are stuck, slow or sick, by device-mapper under them: what the verdict is, and when it is
# known. docs/volumes.md has the table that this prints.
#: disks 0
#: jobs 1
#: ebs 1
#: modules dm-delay dm-flakey
#: time 400
#: variants limit=7
#: soak limit=18
#: boot
# The volume is loop1, called sdp, on ebs, a device-mapper node over loop0. Direct, or loop1's page cache would
# answer for the volume.
sectors=$(blockdev --getsz /dev/loop0)
half=$((sectors / 2))
well="0 $sectors linear /dev/loop0 0"
dmsetup create ebs --table "$well"
losetup --direct-io=on /dev/loop1 /dev/mapper/ebs
mknod /dev/xvdp b 7 1
udevadm settle
start_simulator --script healthy
limit=${limit:-18}
configure "{ \"ephemeral\": { \"expect\": \"none\" }, \"root\": { \"io_deadline\": \"${limit}s\" },
    \"ebs\": { \"data\": { \"device\": \"/dev/sdp\" } } }"

becomes() { # TABLE: from now on, whatever is under way
    dmsetup suspend --nolockfs --noflush ebs
    dmsetup load ebs --table "$1"
    dmsetup resume --noudevsync ebs # udev reads from it, as slowly as anybody
}
# row WHAT OUTCOME FROM TO: the outcome ("ready", or a reason), known at FROM seconds after the start at the earliest,
# and at TO where the machine itself took no time.
row() {
    local began outcome took
    milliseconds
    began=$milliseconds
    : >"$REPORTS" # what is in it afterwards is of this run
    "$MUSTER" run >/run/log 2>&1
    milliseconds
    took=$((milliseconds - began))
    outcome=$(query "$REPORTS" '(it["json"].get("reason") or {}).get("code", it["json"]["outcome"])')
    expect_equal "$1: the verdict" "$2" "$outcome"
    check "$1: not before $3 s ($took ms)" test "$took" -ge $(($3 * 1000))
    in_time "$1" "$4" "$took"
    say "| $1 | $outcome | $((took / 1000)).$(printf %02d $((took % 1000 / 10))) |"
    dmsetup resume --noudevsync ebs # udev reads from it, as slowly as anybody
    becomes "$well"
    wait_for nobody_left
}
nobody_left() { ! ps -eo comm= | grep -q '^muster'; }

row "nothing" ready 0 0
becomes "0 $sectors delay /dev/loop0 0 1000"
row "each read takes 1 s" ready 3 5
expect_equal "how slow it was is in the report" true \
    "$(query "$REPORTS" '[f for f in it["json"]["findings"] if f["check"] == "ebs"][0]["evidence"]["slowest_read_seconds"] >= 1')"
if ((limit > 15)); then # three reads
    becomes "0 $sectors delay /dev/loop0 0 5000"
    row "each read takes 5 s" ready 15 17
fi
becomes "0 $sectors delay /dev/loop0 0 30000"
row "each read takes 30 s" ebs-stuck $limit $limit
dmsetup suspend --nolockfs ebs
row "stuck (suspended)" ebs-stuck $limit $limit
expect_equal "witnesses: both times" true \
    "$(query "$REPORTS" '[f for f in it["json"]["findings"] if f["check"] == "ebs"][0]["evidence"].keys() >= {"when_slow", "when_given_up"}')"
dmsetup suspend --nolockfs ebs
hangs() { ps -eo stat=,comm= | grep -q '^D.*muster'; }
{ wait_for hangs; sleep $((limit / 2)); dmsetup resume ebs; } &
row "stuck, then resumed after $((limit / 2)) s" ready $((limit / 2)) $((limit / 2))
becomes "0 $sectors error"
row "each read fails" ebs-io-error 0 0
becomes "0 $sectors flakey /dev/loop0 0 0 1000"
row "flakey, in a spell of failing" ebs-io-error 0 0
becomes "0 $sectors flakey /dev/loop0 0 0 1000 1 error_writes"
row "only writes fail" ready 0 0
becomes "0 $half linear /dev/loop0 0
$half $((sectors - half)) error"
row "the second half fails" ebs-io-error 0 0
becomes "0 $half linear /dev/loop0 0
$half $((sectors - half)) delay /dev/loop0 $half 60000"
row "the second half is stuck" ebs-stuck $limit $limit
row "well again" ready 0 0

# Its owner asks for a write, too. The journal is as large as one may be that fits.
mkfs.ext4 -q -F /dev/loop1
configure "{ \"ephemeral\": { \"expect\": \"none\" }, \"root\": { \"io_deadline\": \"${limit}s\" },
    \"ebs\": { \"data\": { \"device\": \"/dev/sdp\", \"write_probe\": true, \"deadline\": \"3s\" } } }"
row "to be written to, and mounted nowhere" cannot-tell 3 3
mkdir /data
mount /dev/loop1 /data
row "to be written to, well" ready 0 0
check "no trace of it stays" test ! -e /data/.muster-probe
mount -t tmpfs none /data
row "to be written to, and something else is mounted over it" cannot-tell 0 0
umount /data
becomes "0 $sectors delay /dev/loop0 0 0 /dev/loop0 0 30000"
row "to be written to, each write takes 30 s" ebs-stuck $limit $limit
becomes "0 $sectors flakey /dev/loop0 0 0 1000 1 error_writes"
row "to be written to, and writes fail" ebs-io-error 0 0
umount /data
check "nobody is left" nobody_left
