# What LVM, mkfs and blkdiscard write to standard error when they fail, each in a situation that makes it. It is kept as
# build/uml/lvm-says/*.txt, and tests/fixtures/lvm/errors was made so; what muster tells of each: tests/lvm/summary_test.cpp.
#: disks 4
#: ebs 1
#: size 32M
#: modules md-mod raid1
#: time 300
#: soak yes
#: boot
said=/run/said
mkdir -p $said
CONFIG='backup{backup=0 archive=0} log{prefix="" command_names=0} global{use_lvmpolld=0 wait_for_locks=0} devices{hints="none"}'
ALL=/dev/loop0,/dev/loop1,/dev/loop2,/dev/loop3

# says NAME COMMAND...: it fails, and what it said is kept, after the command.
says() {
    local name=$1 status
    shift
    {
        printf '$ %s\n' "$*"
        "$@" </dev/null 2>&1 >/dev/null
        printf 'status %s\n' $?
    } >$said/"$name".txt 2>&1
    status=$(tail -n 1 $said/"$name".txt)
    if [[ $status == "status 0" || $(wc -l <$said/"$name".txt) -lt 3 ]]; then
        fail "$name: fails and says why"
        cat $said/"$name".txt
    else
        pass "$name"
    fi
}
l() { local verb=$1; shift; env LVM_SYSTEM_DIR= lvm "$verb" --config "$CONFIG" --devices "${SHOWN:-$ALL}" "$@"; }
lvm_says() { local name=$1 verb=$2; shift 2; says "$name" env LVM_SYSTEM_DIR= lvm "$verb" --config "$CONFIG" --devices "${SHOWN:-$ALL}" "$@"; }
create() { local name=$1; shift; lvm_says "$name" vgcreate --setautoactivation n --addtag muster -- muster "$@"; }
volume() {
    local name=$1
    shift
    lvm_says "$name" lvcreate --yes --wipesignatures y --zero y --addtag muster.filesystem=xfs --name scratch "$@" -- muster
}
group() { l vgcreate -q muster "${@:-/dev/loop0}" >/dev/null 2>&1 </dev/null || fail "a group to begin with"; }
whole() { group "$@"; l lvcreate -q -y -n scratch -l 100%FREE muster >/dev/null 2>&1 || fail "a volume to begin with"; }
# damage DISK: one byte of the group's newest text.
damage() {
    python3 -S -E - "$1" <<'END'
import os, struct, sys
disk = os.open(sys.argv[1], os.O_RDWR)
offset, size = struct.unpack("<QQ", os.pread(disk, 16, 4096 + 40))
place = 4096 + offset + size // 2
byte = os.pread(disk, 1, place)[0]
os.pwrite(disk, bytes([byte ^ 1]), place)
os.fsync(disk)
END
}
anew() { blank_disks; }

# ---- vgcreate -----------------------------------------------------------------------------------------
anew; mkfs.ext4 -q /dev/loop0;                       create vgcreate-signature /dev/loop0 /dev/loop1
anew; mkfs.ext4 -q /dev/loop0; mount /dev/loop0 /srv; create vgcreate-mounted /dev/loop0 /dev/loop1; umount /srv
anew; l vgcreate -q theirs /dev/loop0;                create vgcreate-member /dev/loop0 /dev/loop1
anew; group /dev/loop0;                               create vgcreate-name-taken /dev/loop1
anew;                                                 create vgcreate-no-device /dev/loop0 /dev/nowhere
anew; mkdir /dev/muster;                              create vgcreate-folder /dev/loop0; rmdir /dev/muster
anew; blockdev --setro /dev/loop0;                    create vgcreate-read-only /dev/loop0; blockdev --setrw /dev/loop0
anew; printf 'label: gpt\n,\n' | sfdisk -q --no-reread --no-tell-kernel /dev/loop0; create vgcreate-gpt /dev/loop0
anew; printf 'label: dos\n,\n' | sfdisk -q --no-reread --no-tell-kernel /dev/loop0; create vgcreate-dos /dev/loop0
anew; write_md /dev/loop0 1.2;                        create vgcreate-md /dev/loop0
anew; pvcreate -q /dev/loop0; dd if=/dev/loop0 of=/run/empty bs=4096 skip=1 count=1 iflag=direct status=none
l vgcreate -q gone /dev/loop0; dd if=/run/empty of=/dev/loop0 bs=4096 seek=1 conv=notrunc,fsync oflag=direct status=none
create vgcreate-in-use-label /dev/loop0
anew; truncate -s 1M /run/small; small=$(losetup -f --show /run/small)
SHOWN=$small create vgcreate-too-small "$small"; losetup -d "$small"
anew; truncate -s 32M /run/4k; wide=$(losetup -b 4096 -f --show /run/4k)
SHOWN=/dev/loop0,$wide create vgcreate-sectors /dev/loop0 "$wide"; losetup -d "$wide"
anew; dmsetup create bad --table "0 65536 error"
SHOWN=/dev/mapper/bad create vgcreate-io-error /dev/mapper/bad; dmsetup remove bad
anew; mkdir -p /run/lock/lvm
exec 9>/run/lock/lvm/P_global; flock 9;               create vgcreate-locked /dev/loop0; exec 9>&-
exec 9>/run/lock/lvm/V_muster; flock 9;               create vgcreate-locked-name /dev/loop0; exec 9>&-
anew;                                                 create vgcreate-not-shown /dev/loop4
anew; lvm_says vgcreate-tag vgcreate --addtag 'no tag' -- muster /dev/loop0
anew; lvm_says vgcreate-name vgcreate -- 'no name' /dev/loop0

# ---- lvcreate -----------------------------------------------------------------------------------------
anew; whole;                                          volume lvcreate-full --extents 100%FREE
anew; group; l lvcreate -q -y -n scratch -l 1 muster; volume lvcreate-name-taken --extents 100%FREE
anew; group;                                          volume lvcreate-too-large --size 1073741824b
anew; group;                                          volume lvcreate-stripes --extents 100%FREE --stripes 3 --stripesize 256k
anew; group;                                          volume lvcreate-no-extent --extents 0%VG
anew;                                                 volume lvcreate-no-group --extents 100%FREE
anew; group; dmsetup create muster-scratch --table "0 8 zero"; volume lvcreate-node-taken --extents 100%FREE; dmsetup remove muster-scratch
anew; group /dev/loop0 /dev/loop1; SHOWN=/dev/loop0 volume lvcreate-missing --extents 100%FREE
anew; group; l vgexport -q muster;                    volume lvcreate-exported --extents 100%FREE
anew; group /dev/loop0 /dev/loop1; damage /dev/loop1; lvm_says lvcreate-one-damaged lvcreate --name scratch --extents 1000 -- muster
anew; group; damage /dev/loop0;                       volume lvcreate-damaged --extents 100%FREE
anew; group; blockdev --setro /dev/loop0;             volume lvcreate-read-only --extents 100%FREE; blockdev --setrw /dev/loop0
exec 9>/run/lock/lvm/V_muster; flock 9;               volume lvcreate-locked --extents 100%FREE; exec 9>&-
anew; dmsetup create faulty --table "0 65536 linear /dev/loop0 0"
SHOWN=/dev/mapper/faulty l vgcreate -q muster /dev/mapper/faulty
dmsetup suspend faulty; dmsetup load faulty --table "0 2048 linear /dev/loop0 0
2048 63488 error"; dmsetup resume faulty
SHOWN=/dev/mapper/faulty volume lvcreate-io-error-data --extents 100%FREE
dmsetup remove muster-scratch 2>/dev/null
dmsetup suspend faulty; dmsetup load faulty --table "0 65536 error"; dmsetup resume faulty
SHOWN=/dev/mapper/faulty volume lvcreate-io-error --extents 100%FREE
dmsetup remove faulty

# ---- vgchange -----------------------------------------------------------------------------------------
activate() { local name=$1; lvm_says "$name" vgchange --activate y -- muster; }
anew; l vgcreate -q muster /dev/loop0 /dev/loop1; l lvcreate -q -y -n scratch -l 100%FREE -i 2 muster; l vgchange -q -an muster
SHOWN=/dev/loop0 activate vgchange-missing
dmsetup create muster-scratch --table "0 8 zero";     activate vgchange-node-taken; dmsetup remove muster-scratch
l vgexport -q muster;                                 activate vgchange-exported; l vgimport -q muster
exec 9>/run/lock/lvm/V_muster; flock 9;               activate vgchange-locked; exec 9>&-
damage /dev/loop0; damage /dev/loop1;                 activate vgchange-damaged
anew;                                                 activate vgchange-no-group

# ---- the others ---------------------------------------------------------------------------------------
anew; whole; mkfs.ext4 -q /dev/muster/scratch; mount /dev/muster/scratch /srv
lvm_says vgremove-mounted vgremove --yes -- muster
lvm_says lvremove-mounted lvremove --yes -- muster/scratch
says mkfs.xfs-mounted mkfs.xfs -q -K -L scratch /dev/mapper/muster-scratch
says mkfs.ext4-mounted mkfs.ext4 -q -L scratch /dev/mapper/muster-scratch
says blkdiscard-busy blkdiscard --zeroout --offset 0 --length 4096 /dev/loop0
umount /srv
says mkfs.xfs-filesystem mkfs.xfs -q -K -L scratch /dev/mapper/muster-scratch
says mkfs.xfs-small mkfs.xfs -q -K -f -L scratch /dev/mapper/muster-scratch
says mkfs.xfs-option mkfs.xfs -q -K -L scratch -d su=100k,sw=2 -f /dev/mapper/muster-scratch
says mkfs.xfs-usage mkfs.xfs -q -K --no-such-option /dev/mapper/muster-scratch
says mkfs.xfs-no-device mkfs.xfs -q -K /dev/dm-77
says mkfs.ext4-usage mkfs.ext4 -q --no-such-option /dev/mapper/muster-scratch
says mkfs.ext4-no-device mkfs.ext4 -q /dev/dm-77
lvm_says lvchange-no-volume lvchange --deltag muster.unfinished -- muster/other
lvm_says lvremove-no-volume lvremove --yes -- muster/other
exec 9>/run/lock/lvm/V_muster; flock 9
lvm_says vgremove-locked vgremove --yes -- muster
lvm_says lvchange-locked lvchange --deltag muster.unfinished -- muster/scratch
lvm_says fullreport-locked fullreport --reportformat json
exec 9>&-
udevadm settle # or udev's own LVM has the lock
l vgchange -q -an muster; blockdev --setro /dev/loop0
lvm_says vgremove-read-only vgremove --yes -- muster
lvm_says lvchange-read-only lvchange --addtag x -- muster/scratch
blockdev --setrw /dev/loop0
udevadm settle; l vgremove -q -y muster; l vgcreate -q muster /dev/loop0 /dev/loop1
SHOWN=/dev/loop0 lvm_says vgremove-missing vgremove -- muster
anew; blockdev --setro /dev/loop0
says blkdiscard-read-only blkdiscard --zeroout --offset 0 --length 4096 /dev/loop0
blockdev --setrw /dev/loop0
anew; lvm_says vgremove-no-group vgremove --yes -- muster
says fullreport-no-option env LVM_SYSTEM_DIR= lvm fullreport --no-such-option x
says fullreport-config env LVM_SYSTEM_DIR= lvm fullreport --config 'devices{hints='
says blkdiscard-beyond blkdiscard --zeroout --offset 1073741824 --length 4096 /dev/loop0
says blkdiscard-no-device blkdiscard --zeroout --offset 0 --length 4096 /dev/nowhere
printf 'label: dos\n,\n' | sfdisk -q --no-reread --no-tell-kernel /dev/loop0
says blockdev-refused blockdev --rereadpt /dev/loop0

# ---- without the kernel's part --------------------------------------------------------------------------
anew; group
mount -t tmpfs tmpfs /lib/modules
rmmod dm_zero dm_flakey dm_mod
check_not "dm-mod is gone" test -e /sys/module/dm_mod
volume lvcreate-no-dm --extents 100%FREE
keep $said/*
check "the end" true
