# A root volume that is stuck, slow, sick or full, by device-mapper under the file system that muster has for
# its root: what the verdict is, and when it is known. docs/volumes.md has the table that this prints.
#: disks 0
#: jobs 1
#: ebs 1
#: modules dm-delay dm-flakey
#: time 500
#: variants fs=ext4
#: soak fs=xfs
#: boot
sectors=$(blockdev --getsz /dev/loop0)
well="0 $sectors linear /dev/loop0 0"
root=/run/root
limit=12
fs=${fs:-ext4}
mkdir -p $root
start_simulator --script healthy
configure "{ \"ephemeral\": { \"expect\": \"none\" }, \"root\": { \"io_deadline\": \"${limit}s\" }, \"ebs\": {} }"

# A fresh root: nothing of muster's but the program is on it, and its /run is the machine's.
fresh_root() {
    umount $root/proc $root/sys $root/dev $root/run $root/etc/muster $root 2>/dev/null
    dmsetup remove --retry root 2>/dev/null
    dmsetup create root --table "$well"
    case $fs in
    ext4) mkfs.ext4 -q -F -N 64 -e remount-ro /dev/mapper/root ;;
    xfs) mkfs.xfs -q -f -K /dev/mapper/root ;;
    esac >/dev/null || fail "a file system"
    mount /dev/mapper/root $root
    mkdir -p $root/{proc,sys,dev,run,etc/muster,var/lib}
    local folder
    for folder in proc sys dev run etc/muster; do mount --bind /$folder $root/$folder; done
    cp "$MUSTER" $root/muster
    sync
}
becomes() { # TABLE
    dmsetup suspend --nolockfs --noflush root
    dmsetup load root --table "$1"
    dmsetup resume --noudevsync root # udev reads from it, as slowly as anybody
}
nobody_left() { ! ps -eo comm= | grep -q '^muster'; }
# row WHAT OUTCOME FROM TO [WHEN-RUNNING...]: as in sick-ebs. The last is done once the agent has begun to speak: until
# then it is started from the root, and before that is over nothing can be said. The metadata wait until it is done,
# so that the boot job is not over before; FROM and TO are counted from there.
row() {
    local what=$1 expected=$2 from=$3 to=$4 began outcome took
    shift 4
    : >"$REPORTS" # what is in it afterwards is of this run
    [[ $# == 0 ]] || simulator script '{ "metadata": [{ "refuse": true }] }' >/dev/null
    milliseconds
    began=$milliseconds
    chroot $root /muster run >/run/log 2>&1 &
    local agent=$!
    if [[ $# != 0 ]]; then
        wait_for test -s "$REPORTS" || fail "$what: the agent says that it has begun"
        milliseconds
        began=$milliseconds
        "$@"
        simulator script '{ "metadata": [] }' >/dev/null
    fi
    wait $agent
    milliseconds
    took=$((milliseconds - began))
    outcome=$(query "$REPORTS" '(it["json"].get("reason") or {}).get("code", it["json"]["outcome"])')
    expect_match "$what: the verdict" "^($expected)\$" "$outcome"
    check "$what: not before $from s ($took ms)" test "$took" -ge $((from * 1000))
    in_time "$what" "$to" "$took"
    [[ $outcome =~ ^($expected)$ ]] || cat /run/log
    say "| $what | $outcome | $((took / 1000)).$(printf %02d $((took % 1000 / 10))) |"
    dmsetup resume --noudevsync root # udev reads from it, as slowly as anybody
    becomes "$well"
    check "$what: nobody is left" wait_for nobody_left
}
io() { query "$REPORTS" "[f for f in it['json']['findings'] if f['check'] == 'root' and f['subject'] == 'io'][0]$1"; }

fresh_root
row "nothing" ready 0 0
expect_equal "it was read and written" "/ answers reads and writes" "$(io '["message"]')"
check "and no file is left but the history of verdicts" test ! -e "$root/var/lib/muster/.muster-probe"
stop() { dmsetup suspend --nolockfs root; }
row "stuck once it has begun to speak" root-stuck $((limit - 1)) $limit stop
expect_equal "a new instance is advised" true "$(query "$REPORTS" 'it["json"]["recreate"]')"
fresh_root
stop_and_go() { stop; sleep 5; dmsetup resume root; }
row "stuck, then resumed after 5 s" ready 5 5 stop_and_go
expect_match "the stall is in the report" '^[4-6]' "$(io '["evidence"]["slowest_writes_seconds"]')"
slow() { becomes "0 $sectors delay /dev/loop0 0 $1"; }
# The verdict is kept on the root, too, with some patience: what is slow there comes after its delivery.
row "each read and write takes 1 s" ready 1 $((limit + 1)) slow 1000
fresh_root
row "each read and write takes 30 s" root-stuck $((limit - 1)) $limit slow 30000
fresh_root
sick() { becomes "0 $sectors $*"; }
sick error
row "all I/O fails" "root-io-error|root-read-only" 0 1
fresh_root
give_up() {
    sick error
    touch $root/file 2>/dev/null
    sync -f $root 2>/dev/null
    becomes "$well"
    grep " $root " /proc/mounts
}
if [[ $fs == ext4 ]]; then
    give_up
    row "remounted read-only by the kernel after an error" root-read-only 0 1
else # nothing starts from an XFS that is shut down
    row "shut down by the kernel after an error, once it has begun to speak" root-io-error 0 3 give_up
fi
expect_match "the kernel's log says so" "read-only|shut down" \
    "$(query "$REPORTS" '[f["message"] for f in it["json"]["findings"] if f["check"] == "kernel"]')"
fresh_root
sick flakey /dev/loop0 0 0 1000 1 error_writes
row "writes fail" "root-io-error|root-read-only" 0 1
fresh_root
mount -o remount,ro $root
row "mounted read-only" root-read-only 0 0
fresh_root
head -c 1G /dev/zero >$root/full 2>/dev/null
row "full" root-full 0 0
if [[ $fs == ext4 ]]; then # XFS makes inodes as it goes
    fresh_root
    for ((i = 0; i < 200000; i++)); do : 2>/dev/null >$root/file$i || break; done
    say "$i files until it is out of inodes"
    row "out of inodes" root-full 0 0
fi
fresh_root
row "well again" ready 0 0
