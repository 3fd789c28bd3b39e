# Volumes of the owner's own in our group, of every kind that LVM lays over others: they are his, nothing is done to
# them, and they stop nothing; not even those that are broken. What stands under our name and is no volume of our
# group is still refused, and a volume whose disks are gone from under it is told as that.
#: disks 3
#: ebs 1
#: size 96M
#: modules dm-snapshot dm-thin-pool dm-cache dm-cache-smq dm-raid raid1 dm-bufio dm-persistent-data
#: memory 1500M
#: time 600
#: boot
#: boot
FILESYSTEM=ext4
# shellcheck disable=SC1091
. "$SOURCE/tests/uml/starts.sh"
mine() { "$@" --config 'global{thin_check_executable="" cache_check_executable=""}' >/run/mine 2>&1 || cat /run/mine; }
half() {
    configure '{ "ephemeral": { "expect": 3, "deadline": "3s", "on_foreign_data": "wipe", "on_partial": "rebuild",
        "volumes": { "scratch": { "filesystem": "ext4", "size": "30%" } } } }'
}
# stands: ready, ours are mounted, nothing was changed.
stands() {
    check_status "$ROW: ready" 0 "$MUSTER" run >/run/log 2>&1 || tail -n 20 /run/log
    expect_match "$ROW: mounted" "/dev/mapper/muster-scratch /mnt/scratch ext4 rw" "$(cat /proc/mounts)"
    check "$ROW: the data are there" test -s /mnt/scratch/kept
    expect_equal "$ROW: the report tells of our disks" "loop0 loop1 loop2" \
        "$(query "$REPORT" '" ".join(sorted(it["storage"]["volumes"][0]["disks"]))')"
}
half

if [[ $BOOT == 1 ]]; then
    ROW="a plain volume"
    assemble
    date >/mnt/scratch/kept
    mine lvcreate -q -y -n plain -L 8M muster
    stands
    ROW="a raid volume"
    mine lvcreate -q -y --type raid1 -m 1 -n copies -L 8M muster
    stands
    ROW="a thin pool with a volume"
    mine lvcreate -q -y --type thin-pool -n pool -L 16M muster
    mine lvcreate -q -y --type thin -V 100M -n thin --thinpool pool muster
    stands
    ROW="a cached volume of his"
    mine lvcreate -q -y -n slow -L 8M muster
    mine lvcreate -q -y -n fast -L 12M muster
    mine lvconvert -q -y --type cache --cachevol fast muster/slow
    stands
    ROW="a snapshot of ours"
    mine lvcreate -q -y -s -n snap -L 4M muster/scratch
    stands
    ROW="a snapshot that is full, and can be read no more"
    dd if=/dev/urandom of=/mnt/scratch/filler bs=1M count=16 oflag=direct status=none
    sync
    check_not "$ROW: so it is" dd if=/dev/mapper/muster-snap of=/dev/null bs=4096 count=1 iflag=direct
    stands
    lsblk -o NAME,TYPE
else
    expect_equal "after a reboot, nothing is active" "" "$(compgen -G '/dev/mapper/muster*')"
    # The image has no thin_check: his pool can't be activated.
    ROW="after a reboot"
    stands
    ROW="after a reboot, again"
    stands
    check "$ROW: his volumes are there" lvs muster/plain muster/copies muster/pool muster/thin muster/slow
    expect_equal "$ROW: nothing was changed" "[]" "$(query "$REPORT" 'it["storage"]["changes"]')"

    # Nothing of ours is there: the group's extents end before. But so would one end in a volume that does not.
    ROW="a signature of md in the last block of a disk"
    write_md /dev/loop3 1.0
    dd if=/dev/loop3 of=/dev/loop2 bs=64k skip=1535 seek=1535 count=1 conv=notrunc,fsync status=none
    dd if=/dev/zero of=/dev/loop3 bs=1M conv=fsync status=none
    expect_match "$ROW: it is there" linux_raid_member "$(wipefs -n /dev/loop2)"
    stands

    ROW="a cache over ours"
    mine lvremove -q -y muster/snap
    mine lvcreate -q -y -n quick -L 12M muster
    mine lvconvert -q -y --type cache --cachevol quick muster/scratch
    stands
    mine lvconvert -q -y --uncache muster/scratch

    ROW="a stranger under our name"
    dmsetup create muster-stray --table "0 2048 linear /dev/loop3 0"
    mount -o remount,ro /mnt/scratch
    refused ephemeral-foreign-data "muster-stray exists already, on loop3, and is not ours"
    dmsetup remove muster-stray

    ROW="ours, and its disks gone from under it"
    mine vgchange -q -an muster --select 'lv_name != scratch'
    size=$(blockdev --getsz /dev/mapper/muster-scratch)
    dmsetup suspend --nolockfs muster-scratch
    dmsetup load muster-scratch --table "0 $size error"
    dmsetup resume muster-scratch
    expect_equal "$ROW: so they are" "" "$(ls "/sys/block/$(basename "$(readlink -f /dev/mapper/muster-scratch)")/slaves")"
    refused ephemeral-io-error "muster-scratch is mounted at /mnt/scratch, and the disks beneath it are gone"
    umount -l /mnt/scratch

    row "his volumes, and a disk is missing, to be rebuilt" ""
    half
    assemble
    mine lvcreate -q -y -n plain -L 8M muster /dev/loop0
    umount /mnt/scratch
    vgchange -q -an muster
    losetup -d /dev/loop1
    configure '{ "ephemeral": { "expect": 2, "deadline": "3s", "on_partial": "rebuild" } }'
    EPHEMERAL="xvdb xvdd" refused ephemeral-foreign-data "plain"
    losetup /dev/loop1 "$WORK/xvdc.disk"

    # LVM is shown the ephemeral disks alone: the group looks as if a disk of it were missing.
    row "ours, extended to an EBS volume, to be rebuilt" ""
    half
    assemble
    umount /mnt/scratch
    mine vgextend -q muster /dev/loop3
    mine lvcreate -q -y -n precious -L 8M muster /dev/loop3
    vgchange -q -an muster
    half
    refused ephemeral-foreign-data "loop3 belongs to it, too, and is not ephemeral"
    mine lvremove -q -y muster/precious
    mine vgreduce -q muster /dev/loop3
    mine pvremove -q /dev/loop3
    ROW="the same, and its metadata are not on the EBS volume"
    mine pvcreate -q --metadatacopies 0 /dev/loop3
    mine vgextend -q muster /dev/loop3
    refused ephemeral-missing "has 4 disks, of which 3 are here"
fi
stop_simulator
check "the end" true
