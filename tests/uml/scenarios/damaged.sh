# Data that LVM or libblkid has trouble to read is data all the same: no advice to recreate while any disk may hold
# some; and what LVM itself can still read goes on.
#: disks 3
#: size 72M
#: time 300
#: boot
FILESYSTEM=ext4
# shellcheck disable=SC1091
. "$SOURCE/tests/uml/starts.sh"

# refused_and_kept REASON REGEX: refused (starts.sh), and a new instance is not advised.
refused_and_kept() {
    refused "$1" "$2"
    expect_equal "$ROW: recreate is not advised" false "$(query "$REPORT" 'it["recreate"]')"
}
# refused_and_replaced REASON REGEX
refused_and_replaced() {
    refused "$1" "$2"
    expect_equal "$ROW: recreate is advised" true "$(query "$REPORT" 'it["recreate"]')"
}
# damage PART DISK: one byte of the group's newest text, or the header of the metadata area.
damage() {
    python3 -S -E - "$@" <<'END'
import os, struct, sys
part, node = sys.argv[1:]
area = 4096
disk = os.open(node, os.O_RDWR)
offset, size = struct.unpack("<QQ", os.pread(disk, 16, area + 40))
place = area + offset + size // 2 if part == "text" else area + 8
byte = os.pread(disk, 1, place)[0]
os.pwrite(disk, bytes([byte ^ 1]), place)
os.fsync(disk)
END
}

# ---- more signatures than anybody counts --------------------------------------------------------------
# A ZFS member that has been in use for a while: each of the 128 places in each of its four rings is taken.
zfs() {
    python3 -S -E - "$1" <<'END'
import os, struct, sys
disk = os.open(sys.argv[1], os.O_RDWR)
size = os.lseek(disk, 0, os.SEEK_END)
for label in (0, 256 << 10, size - (512 << 10), size - (256 << 10)):
    for slot in range(128):
        block = struct.pack("<QQQQQ", 0x00bab10c, 5000, 1000 + slot, 1, 1700000000)
        os.pwrite(disk, block, label + (128 << 10) + slot * 1024)
os.fsync(disk)
END
}
row "a ZFS member with full rings" ""
zfs /dev/loop1
refused_and_kept ephemeral-foreign-data "/dev/loop1 carries data that is not ours: found zfs_member at offset [0-9]+, .* more"
row "a ZFS member with full rings, to be wiped" "$WIPE"
zfs /dev/loop1
becomes_ready

# ---- metadata with a damaged byte ---------------------------------------------------------------------
for part in text header; do
    row "somebody's group, its $part damaged" ""
    vgcreate -q theirs /dev/loop1 </dev/null
    damage $part /dev/loop1
    refused_and_kept ephemeral-foreign-data "/dev/loop1 carries an LVM label"

    row "somebody's group of two disks, one $part damaged" ""
    vgcreate -q theirs /dev/loop1 /dev/loop2 </dev/null
    damage $part /dev/loop1
    refused_and_kept ephemeral-foreign-data "belongs to the volume group theirs"

    # LVM reads the first one in another way than those that say the same.
    for disk in loop0 loop2; do
        row "ours, one $part damaged, on $disk" ""
        assemble
        date >/mnt/scratch/kept
        umount /mnt/scratch
        vgchange -q -an muster
        damage $part /dev/$disk
        expect_match "$ROW: LVM says so" "WARNING: .*/dev/$disk" "$(vgs muster 2>&1)"
        becomes_ready
        check "$ROW: the data is there" test -s /mnt/scratch/kept
        ROW+=", again"
        becomes_ready
        expect_equal "$ROW: nothing was changed" "[]" "$(query "$REPORT" 'it["storage"]["changes"]')"
        umount /mnt/scratch
        vgchange -q -an muster
    done
done

row "ours, all texts damaged" ""
assemble
umount /mnt/scratch
vgchange -q -an muster
for disk in loop0 loop1 loop2; do damage text /dev/$disk; done
refused_and_kept ephemeral-foreign-data "carries an LVM label of a group that LVM can't find"

# ---- a disk that can only be read ---------------------------------------------------------------------
row "a filesystem on a disk that is read-only" ""
mkfs.ext4 -q -L precious /dev/loop1
blockdev --setro /dev/loop1
refused_and_kept ephemeral-foreign-data '/dev/loop1 carries data that is not ours: found ext4 "precious"'
ROW+=", to be wiped"
settings "$WIPE"
refused_and_kept assembly-failed "/dev/loop1 is read-only"
blockdev --setrw /dev/loop1

row "ours, a disk is read-only" ""
assemble
umount /mnt/scratch
vgchange -q -an muster
blockdev --setro /dev/loop1
refused_and_kept assembly-failed "/dev/loop1 is read-only"
blockdev --setrw /dev/loop1
becomes_ready
umount /mnt/scratch
vgchange -q -an muster

row "blank disks, one is read-only" ""
blockdev --setro /dev/loop1
refused_and_replaced assembly-failed "/dev/loop1 is read-only"
blockdev --setrw /dev/loop1

# ---- LVM itself fails ---------------------------------------------------------------------------------
# fails_at VERB: LVM does, and no other command of it. /run/called has each that was begun.
fails_at() {
    local lvm=/usr/sbin/lvm
    [[ -e $lvm.real ]] || mv $lvm $lvm.real
    cat >$lvm <<END
#!/bin/bash
echo "\$1" >>/run/called
[[ \$1 == $1 ]] && { echo "  Volume group is broken." >&2; exit 5; }
exec -a "\$0" $lvm.real "\$@"
END
    chmod +x $lvm
}
for verb in vgcreate lvcreate; do
    row "blank disks, $verb fails" ""
    fails_at $verb
    check_status "$ROW: failed" 1 "$MUSTER" run >/dev/null 2>&1
    expect_equal "$ROW: recreate is advised" "assembly-failed true" \
        "$(query "$REPORT" 'it["reason"]["code"] + " " + str(it["recreate"]).lower()')"
    row "foreign data, to be wiped, $verb fails" "$WIPE"
    mkfs.ext4 -q /dev/loop1
    check_status "$ROW: failed" 1 "$MUSTER" run >/dev/null 2>&1
    expect_equal "$ROW: they were wiped, recreate is advised" "assembly-failed true" \
        "$(query "$REPORT" 'it["reason"]["code"] + " " + str(it["recreate"]).lower()')"
done
row "ours, lvchange fails" ""
fails_at none
assemble
umount /mnt/scratch
vgchange -q -an muster
fails_at lvchange
check_status "$ROW: failed" 1 "$MUSTER" run >/dev/null 2>&1
expect_equal "$ROW: recreate is not advised" "assembly-failed false" \
    "$(query "$REPORT" 'it["reason"]["code"] + " " + str(it["recreate"]).lower()')"
expect_match "$ROW: LVM's own words" "lvm lvchange failed .status 5.: Volume group is broken" "$(because)"
row "ours, the report fails" ""
fails_at none
assemble
umount /mnt/scratch
vgchange -q -an muster
fails_at fullreport
refused_and_kept assembly-failed "Volume group is broken"

# ---- LVM is locked -------------------------------------------------------------------------------------
row "another command of LVM's has its global lock" ""
fails_at none
mkdir -p /run/lock/lvm
flock -x --no-fork /run/lock/lvm/P_global sh -c ': >/run/held; exec sleep infinity' &
holder=$!
wait_for test -e /run/held
: >/run/called
{ wait_for grep -q vgcreate /run/called; sleep 1; kill $holder; } &
becomes_ready
expect_match "$ROW: it was tried again" "vgcreate.*vgcreate" "$(tr '\n' ' ' </run/called)"
stop_simulator
check "the end" true
