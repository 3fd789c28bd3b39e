# From every start to the right end, on the real LVM: those that are refused, with every byte of every
# disk as before. (starts.sh has the others.)
#: disks 3
#: ebs 1
#: size 24M
#: time 600
#: boot
FILESYSTEM=ext4
# shellcheck disable=SC1091
. "$SOURCE/tests/uml/starts.sh"

row "a disk of ours is missing" ""
assemble
umount /mnt/scratch
vgchange -q -an muster
losetup -d /dev/loop1
EXPECT=2 settings ""
EPHEMERAL="xvdb xvdd" refused ephemeral-missing "muster has 3 disks, of which 2 are here"
losetup /dev/loop1 "$WORK/xvdc.disk"

row "another instance's" ""
vgcreate -q --addtag muster --addtag muster.instance=i-0fffffffffffffff0 muster /dev/loop0 /dev/loop1
refused cannot-tell "another instance.*i-0fffffffffffffff0"
settings "$WIPE"
ROW="another instance's, and wipe"
refused cannot-tell "another instance.*i-0fffffffffffffff0"

row "another instance's group of another name, and wipe" "$WIPE"
vgcreate -q --addtag muster --addtag muster.instance=i-0fffffffffffffff0 data /dev/loop0 /dev/loop1
refused cannot-tell "another instance.*i-0fffffffffffffff0"

row "a group that has an EBS volume, too, and wipe" "$WIPE"
vgcreate -q --setautoactivation n theirs /dev/loop0 /dev/loop3
lvcreate -q -y -W n -Z n -n data -l 100%FREE theirs
vgchange -q -an theirs
refused ephemeral-foreign-data "theirs.*not among the ephemeral disks.*never wiped"
vgremove -q -y theirs
wipefs -q -a /dev/loop3

row "the same, and its metadata are on the EBS volume alone" "$WIPE"
pvcreate -q --metadatacopies 0 /dev/loop0
vgcreate -q theirs /dev/loop3 /dev/loop0
refused ephemeral-foreign-data "never wiped"
vgremove -q -y theirs
wipefs -q -a /dev/loop3

row "the same, and its metadata here are ignored" "$WIPE"
vgcreate -q theirs /dev/loop3
pvcreate -q --metadataignore y /dev/loop0
vgextend -q --metadataignore y theirs /dev/loop0
refused ephemeral-foreign-data "never wiped"
vgremove -q -y theirs
wipefs -q -a /dev/loop3

row "a group with a disk missing, and wipe" "$WIPE"
vgcreate -q theirs /dev/loop0 /dev/loop1
dd if=/dev/zero of=/dev/loop1 bs=1M count=1 conv=notrunc,fsync status=none
refused ephemeral-foreign-data "theirs.*never wiped"

row "ours, finished, and its superblock is gone" ""
assemble
umount /mnt/scratch
dd if=/dev/zero of=/dev/muster/scratch bs=4096 count=1 conv=notrunc,fsync oflag=direct status=none
refused assembly-failed "finished volume scratch carries no filesystem.*lvremove muster/scratch"
ROW+=", not active"
vgchange -q -an muster
before=$(hash_disks $EPHEMERAL)
check_status "$ROW: failed" 1 "$MUSTER" run >/dev/null 2>&1
expect_equal "$ROW: the reason" assembly-failed "$(query "$REPORT" 'it["reason"]["code"]')"
expect_match "$ROW: what it says" "lvremove muster/scratch" "$(because)"
expect_equal "$ROW: every byte is as before" "$before" "$(hash_disks $EPHEMERAL)"
lvremove -q -y muster/scratch
becomes_ready

row "ours, exported" ""
assemble
umount /mnt/scratch
vgchange -q -an muster
vgexport -q muster
refused ephemeral-foreign-data "exported"

row "in use: mounted by cloud-init at /mnt" "$WIPE"
mkfs.ext3 -q /dev/loop1
mount -o ro /dev/loop1 /mnt
refused ephemeral-foreign-data "mounted at /mnt .cloud-init does that"
umount /mnt

row "in use: mounted where muster can't see it" "$WIPE"
mkfs.ext3 -q /dev/loop1
unshare --mount --propagation private sh -c 'mount -o ro /dev/loop1 /srv; : >/run/mounted; sleep infinity' &
hidden=$!
wait_for test -e /run/mounted
check_not "$ROW: it is not among our mounts" grep -q /srv /proc/self/mountinfo
refused ephemeral-foreign-data "/dev/loop1 is mounted at /srv"
pkill -P "$hidden" sleep
wait "$hidden"

row "in use: held by a program" "$WIPE"
python3 -c 'import os, time; fd = os.open("/dev/loop2", os.O_RDONLY | os.O_EXCL); open("/run/held", "w"); time.sleep(1e6)' &
holder=$!
wait_for test -e /run/held
refused ephemeral-foreign-data "/dev/loop2 is in use .*gives it to nobody else"
kill "$holder"

row "the vendor's filesystem" ""
mkfs.ext3 -q /dev/loop1
refused ephemeral-foreign-data "ext3 at offset 1080.*wipe-preformatted"

row "the vendor's filesystem, with a file" "$PREFORMATTED"
mkfs.ext3 -q /dev/loop1
mount /dev/loop1 /srv
echo precious >/srv/file
umount /srv
refused ephemeral-foreign-data "ext3 at offset 1080"

# ---- our name is taken --------------------------------------------------------------------------------
row "a group of our name on an EBS volume" "$WIPE"
wipefs -q -a "/dev/$EBS"
vgcreate -q --addtag muster muster "/dev/loop3"
refused ephemeral-foreign-data "volume group muster exists already, on /dev/loop3, which is not ephemeral"
vgremove -q -y muster
wipefs -q -a /dev/loop3

row "a device-mapper node left over" ""
assemble
umount /mnt/scratch
for disk in loop0 loop1 loop2; do dd if=/dev/zero of=/dev/$disk bs=1M count=1 conv=notrunc,fsync status=none; done
refused assembly-failed "muster-scratch exists already.*dmsetup remove muster-scratch"
dmsetup remove muster-scratch
ROW="after the advice was followed"
rm -rf /dev/muster
becomes_ready

row "a folder left over in /dev" ""
mkdir /dev/muster
refused assembly-failed "/dev/muster is there.*rm -r /dev/muster"
rmdir /dev/muster
stop_simulator

# ---- the mapping names disks that this type of machine never has --------------------------------------
start_simulator --script healthy --set instance.instance-type=m4.large
row "volumes at the names of disks that are not there" "$WIPE"
refused ephemeral-missing "0 ephemeral disks .* expected 3"
expect_match "$ROW: they are named" "loop1 is left alone: the mapping calls it ephemeral1, but no ephemeral disk of the type m4.large" \
    "$(query "$REPORT" '" ".join(f["message"] for f in it["findings"])')"
stop_simulator
check "the end" true
