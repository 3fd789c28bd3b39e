# A root volume that is stuck, slow, sick or full, by device-mapper under the file system that muster has for
# its root: what the verdict is, and when it is known. docs/volumes.md has the table that this prints.
#: disks 0
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
# The boot job of a quick machine would be over before the root is stopped: more readings make it longer.
configure "{ \"metadata\": { \"confirmations\": 10 }, \"ephemeral\": { \"expect\": \"none\" }, \"root\": { \"io_deadline\": \"${limit}s\" }, \"ebs\": {} }"

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
# row WHAT OUTCOME FROM TO [WHEN-RUNNING...]: as in sick-ebs; the last is done half a second after the start.
row() {
    local what=$1 expected=$2 from=$3 to=$4 outcome took
    shift 4
    : >"$REPORTS" # what is in it afterwards is of this run
    local began=${EPOCHREALTIME/./}
    chroot $root /muster run >/run/log 2>&1 &
    local agent=$!
    [[ $# == 0 ]] || { sleep 0.5; "$@"; }
    wait $agent
    took=$(((${EPOCHREALTIME/./} - began) / 10000))
    took=$((took / 100)).$(printf %02d $((took % 100)))
    outcome=$(query "$REPORTS" '(it["json"].get("reason") or {}).get("code", it["json"]["outcome"])')
    expect_match "$what: the verdict" "^($expected)\$" "$outcome"
    check "$what: after $took s, expected $from to $to" test "${took%.*}" -ge "$from" -a "${took%.*}" -lt "$to"
    [[ $outcome =~ ^($expected)$ ]] || cat /run/log
    say "| $what | $outcome | $took |"
    dmsetup resume --noudevsync root # udev reads from it, as slowly as anybody
    becomes "$well"
    check "$what: nobody is left" wait_for 60 nobody_left
}
io() { query "$REPORTS" "[f for f in it['json']['findings'] if f['check'] == 'root' and f['subject'] == 'io'][0]$1"; }

fresh_root
row "nothing" ready 0 5
expect_equal "it was read and written" "/ answers reads and writes" "$(io '["message"]')"
check "and no file is left but the history of verdicts" test ! -e "$root/var/lib/muster/.muster-probe"
stop() { dmsetup suspend --nolockfs root; }
row "stuck from the first half second on" root-stuck $limit $((limit + 3)) stop
expect_equal "a new instance is advised" true "$(query "$REPORTS" 'it["json"]["recreate"]')"
fresh_root
stop_and_go() { stop; sleep 5; dmsetup resume root; }
row "stuck, then resumed after 5 s" ready 5 $((limit)) stop_and_go
expect_match "the stall is in the report" '^[4-6]' "$(io '["evidence"]["slowest_writes_seconds"]')"
slow() { becomes "0 $sectors delay /dev/loop0 0 $1"; }
# The verdict is kept on the root, too, with some patience: what is slow there comes after its delivery.
row "each read and write takes 1 s" ready 1 $((limit + 6)) slow 1000
fresh_root
row "each read and write takes 30 s" root-stuck $limit $((limit + 3)) slow 30000
fresh_root
sick() { becomes "0 $sectors $*"; }
sick error
row "all I/O fails" "root-io-error|root-read-only" 0 6
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
    row "remounted read-only by the kernel after an error" root-read-only 0 6
else # nothing starts from an XFS that is shut down
    row "shut down by the kernel after an error, from the first half second on" root-io-error 0 8 give_up
fi
expect_match "the kernel's log says so" "read-only|shut down" \
    "$(query "$REPORTS" '[f["message"] for f in it["json"]["findings"] if f["check"] == "kernel"]')"
fresh_root
sick flakey /dev/loop0 0 0 1000 1 error_writes
row "writes fail" "root-io-error|root-read-only" 0 6
fresh_root
mount -o remount,ro $root
row "mounted read-only" root-read-only 0 5
fresh_root
head -c 1G /dev/zero >$root/full 2>/dev/null
row "full" root-full 0 5
if [[ $fs == ext4 ]]; then # XFS makes inodes as it goes
    fresh_root
    for ((i = 0; i < 200000; i++)); do : 2>/dev/null >$root/file$i || break; done
    say "$i files until it is out of inodes"
    row "out of inodes" root-full 0 5
fi
fresh_root
row "well again" ready 0 5
