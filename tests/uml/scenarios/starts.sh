# From every start to the right end, on the real LVM: those that end ready. (refused.sh has the others,
# docs/disks.md both as a table.) Each row makes the disks what its name says, runs muster, and looks at
# what became of the machine.
#: disks 3
#: size 320M
#: modules md-mod raid1 dm-crypt
#: memory 1500M
#: time 600
#: boot
# shellcheck disable=SC1091
. "$SOURCE/tests/uml/starts.sh"

# ---- nothing there, or ours ---------------------------------------------------------------------------
row "blank" ""
becomes_ready

ROW="ours and whole"
date >/mnt/scratch/kept
before=$(seqno)
becomes_ready
expect_equal "$ROW: nothing was changed" "$before []" "$(seqno) $(query "$REPORT" 'it["storage"]["changes"]')"

ROW="ours, not mounted"
umount /mnt/scratch
becomes_ready
check "$ROW: the data is there" test -s /mnt/scratch/kept

ROW="ours, not active"
umount /mnt/scratch
vgchange -q -an muster
becomes_ready
check "$ROW: the data is there" test -s /mnt/scratch/kept

ROW="ours, with a signature of md at its end"
umount /mnt/scratch
write_md /dev/muster/scratch 1.0
expect_match "$ROW: it is there" 'TYPE="linux_raid_member"' "$(blkid -p /dev/mapper/muster-scratch 2>&1)"
becomes_ready
check "$ROW: the data is there" test -s /mnt/scratch/kept

ROW="ours, a volume that was never finished"
umount /mnt/scratch
lvchange -q --addtag muster.unfinished muster/scratch
becomes_ready
check_not "$ROW: it is made anew" test -e /mnt/scratch/kept

ROW="ours, without its volume"
umount /mnt/scratch
lvremove -q -y muster/scratch
becomes_ready

row "LVM labels of no group" ""
pvcreate -q /dev/loop0 /dev/loop1
becomes_ready

row "LVM labels in use, of no group" ""
pvcreate -q /dev/loop0
dd if=/dev/loop0 of=/run/empty bs=4096 skip=1 count=1 iflag=direct status=none
vgcreate -q gone /dev/loop0 /dev/loop1
for disk in loop0 loop1; do dd if=/run/empty of=/dev/$disk bs=4096 seek=1 conv=notrunc,fsync oflag=direct status=none; done
expect_match "$ROW: so says LVM" "used +/dev/loop0" "$(pvs --noheadings -o pv_in_use,pv_name 2>&1)"
becomes_ready

# ---- a disk of ours is missing ------------------------------------------------------------------------
row "a disk of ours comes late" ""
DEADLINE=200s EXPECT='{ "min": 2 }'
settings ""
assemble
date >/mnt/scratch/kept
umount /mnt/scratch
vgchange -q -an muster
losetup -d /dev/loop1
rm -f /run/log
waits() { grep -q 'waiting for=.*has 3 disks, of which 2 are here' /run/log; }
{ wait_for waits; losetup /dev/loop1 "$WORK/xvdc.disk"; } &
becomes_ready
check "$ROW: the data is there" test -s /mnt/scratch/kept
late=$(query "$REPORT" '[round(1000 * (t["end"] - t["start"])) for t in it["timings"] if t["stage"] == "late disks"][0]')
check "$ROW: it was waited for ($late ms)" test "$late" -gt 0
in_time "$ROW: and used at once, not at the deadline of $DEADLINE" 0 "$late"
DEADLINE=3s

ROW="a disk of ours is missing"
umount /mnt/scratch
vgchange -q -an muster
losetup -d /dev/loop1
settings ""
check_status "$ROW: failed" 1 "$MUSTER" run 2>/dev/null
expect_equal "$ROW: the reason" ephemeral-missing "$(query "$REPORT" 'it["reason"]["code"]')"

ROW="a disk of ours is missing, to be rebuilt"
settings "$REBUILD"
becomes_ready 2
expect_match "$ROW: the report says so" "give up what is left of the volume group muster" "$(query "$REPORT" 'it["storage"]["changes"]')"

ROW="the missing disk comes back later"
losetup /dev/loop1 "$WORK/xvdc.disk"
becomes_ready 2
expect_equal "$ROW: nothing was changed" "[]" "$(query "$REPORT" 'it["storage"]["changes"]')"

ROW="... and then comes a reboot"
date >/mnt/scratch/kept
umount /mnt/scratch
dmsetup remove --retry muster-scratch
becomes_ready 2
check "$ROW: the data is there" test -s /mnt/scratch/kept
EXPECT=3

# ---- not ours, to be wiped ------------------------------------------------------------------------------
row "somebody's volume group over two disks, to be wiped" "$WIPE"
vgcreate -q --setautoactivation n theirs /dev/loop0 /dev/loop1
lvcreate -q -y -W n -Z n -n data -l 100%FREE theirs
vgchange -q -an theirs
becomes_ready

row "the same, and the power went when one of them was wiped" "$WIPE"
vgcreate -q --setautoactivation n theirs /dev/loop0 /dev/loop1
vgchange -q --addtag muster.wipe=i-0123456789abcdef0 theirs
dd if=/dev/zero of=/dev/loop0 bs=1M count=2 conv=notrunc,fsync status=none
becomes_ready

row "the vendor's filesystem, to be wiped" "$PREFORMATTED"
mkfs.ext3 -q /dev/loop1
becomes_ready

wiped() { # wiped NAME: loop1 has been prepared
    ROW="$1"
    sync
    expect_match "$ROW: it is there" "$2" "$(blkid -p /dev/loop1 2>&1)"
    becomes_ready
}
row "" "$WIPE"; mkfs.ext4 -q -L precious /dev/loop1; wiped "ext4, to be wiped" ext4
row "" "$WIPE"; mkfs.xfs -q /dev/loop1; wiped "xfs, to be wiped" xfs
row "" "$WIPE"; mkswap -q /dev/loop1; wiped "swap, to be wiped" swap
row "" "$WIPE"; printf secret | cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/loop1 -
wiped "LUKS2, to be wiped" crypto_LUKS
row "" "$WIPE"; vgcreate -q theirs /dev/loop1; wiped "somebody's volume group, to be wiped" LVM2_member
row "" "$WIPE"; write_md /dev/loop1 1.0; wiped "md at the disk's end, to be wiped" linux_raid_member
row "" "$WIPE"; printf precious | dd of=/dev/loop1 bs=512 seek=7 conv=notrunc status=none; wiped "data without a signature, to be wiped" ""
row "" "$WIPE"
losetup -d /dev/loop1
losetup --partscan /dev/loop1 "$WORK/xvdc.disk"
printf 'label: gpt\n,100M\n,\n' | sfdisk -q /dev/loop1
check "partitions are there" test -e /sys/block/loop1/loop1p1
mkfs.ext4 -q /dev/loop1p1
ROW="GPT with partitions, to be wiped"
becomes_ready
check_not "$ROW: the kernel has forgotten them" test -e /sys/block/loop1/loop1p1

stop_simulator
check "the end" true
