# What another program does to a disk between the plan and the write, or while it holds the disk open without O_EXCL:
# refused, the program named, and no byte of its data lost.
#: disks 3
#: size 320M
#: time 150
#: variants part=writer part=holder
#: boot
# shellcheck disable=SC2154 # part
use() { configure "{ \"ephemeral\": { \"deadline\": \"2s\" $1 } }"; }
reason() { query "$REPORT" 'it["reason"]["code"]'; }
message() { query "$REPORT" '" ".join([it["reason"]["message"]] + [f["message"] for f in it["findings"]])'; }
hold() { # hold MODE NODE: < or <>
    if [[ $1 == '<' ]]; then sleep 1000 9<"$2" & else sleep 1000 9<>"$2" & fi
    holder=$!
    wait_for test -e "/proc/$holder/fd/9"
    wait_for grep -qx sleep "/proc/$holder/comm"
}
let_go() {
    kill "$holder"
    wait "$holder" 2>/dev/null
}
start_simulator --script healthy

if [[ $part == writer ]]; then
# ---- a writer between the plan and vgcreate: LVM is asked for its report once the disks have been looked at
use ''
pvcreate -q /dev/loop0
head -c 8M /dev/urandom >/run/payload
mv /usr/sbin/lvm /usr/sbin/lvm.real
cat >/usr/sbin/lvm <<'LVM'
#!/bin/bash
if [[ $1 == fullreport && ! -e /run/written ]]; then
    dd if=/run/payload of=/dev/loop1 bs=1M conv=notrunc,fsync status=none
    : >/run/written
fi
exec -a lvm /usr/sbin/lvm.real "$@"
LVM
chmod 755 /usr/sbin/lvm
check_status "a writer after the look: failed and delivered" 1 "$MUSTER" run >/run/log 2>&1 || tail -n 20 /run/log
mv /usr/sbin/lvm.real /usr/sbin/lvm
check "the writer had written" test -e /run/written
expect_equal "his 8 MiB are there, to the byte" "" "$(cmp -n $((8 << 20)) /run/payload /dev/loop1 2>&1)"
expect_equal "the reason" ephemeral-foreign-data "$(reason)"
expect_match "says what changed, and that a label was wiped before" "/dev/loop1 has got data .*since the plan.*this step was not taken" "$(message)"
expect_equal "recreate is not advised" false "$(query "$REPORT" 'it["recreate"]')"
exit
fi

# ---- a program that holds a disk, which may be wiped
use ', "on_foreign_data": "wipe"'
mkfs.ext4 -q -F -L precious /dev/loop1
mkdir -p /run/nodes
mknod /run/nodes/private b 7 1
sync
before=$(hash_disks $EPHEMERAL)
for node in /dev/loop1 /run/nodes/private; do
    for mode in '<>' '<'; do
        hold "$mode" "$node"
        check_status "$mode $node: failed and delivered" 1 "$MUSTER" run >/run/log 2>&1 || tail -n 20 /run/log
        expect_equal "$mode $node: the reason" ephemeral-foreign-data "$(reason)"
        expect_match "$mode $node: names the program" "/dev/loop1 is held open by sleep \(pid $holder\)" "$(message)"
        expect_equal "$mode $node: every byte is as before" "$before" "$(hash_disks $EPHEMERAL)"
        let_go
    done
done

# ---- without CAP_SYS_PTRACE other programs' descriptors can't be seen: told, and no failure
check_status "plan without the capability" 0 setpriv --bounding-set=-sys_ptrace "$MUSTER" plan >/run/plan 2>&1 || cat /run/plan
expect_match "says what it can't see" "open descriptors of [0-9]+ processes cannot be read" "$(cat /run/plan)"

# ---- a blank disk: a writer is refused, a reader is no hindrance
hold '<>' /dev/loop2
check_status "a writer on a blank disk: failed and delivered" 1 "$MUSTER" run >/run/log 2>&1 || tail -n 20 /run/log
expect_match "is named" "/dev/loop2 is held open by sleep \(pid $holder\)" "$(message)"
let_go
hold '<' /dev/loop2
check_status "a reader on a blank disk: ready" 0 "$MUSTER" run >/run/log 2>&1 || tail -n 20 /run/log
expect_match "mounted" "/mnt/scratch xfs rw" "$(cat /proc/mounts)"
check_status "and again: nothing to do" 0 "$MUSTER" plan >/run/plan 2>&1
let_go
true
