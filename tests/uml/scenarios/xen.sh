# Xen: the mapping goes on naming ephemeral disks that the machine does not have, and an EBS volume stands at such a
# name. It is never written to.
#: disks 1
#: ebs 3
#: size 24M
#: modules nbd
#: time 300
#: boot
FILESYSTEM=ext4
# shellcheck disable=SC1091
. "$SOURCE/tests/uml/starts.sh"
stop_simulator
# The volumes, attached after the start, at the names of ephemeral1 and ephemeral2.
mknod /dev/xvdc b 7 1
mknod /dev/xvdd b 7 2
three='"ami": "sda1", "root": "/dev/sda1", "ephemeral0": "sdb", "ephemeral1": "sdc", "ephemeral2": "sdd"'

# xen TYPE MAPPING: a metadata service that tells of such a machine.
xen() { start_simulator --script healthy --set "instance.instance-type=$1" --set "instance.block-device-mapping={ $2 }"; }
# start EXPECT NAME: blank disks and volumes, and no group.
start() {
    EXPECT=$1
    EPHEMERAL="$EPHEMERAL $EBS" row "$2" ""
    volumes=$(hash_disks $EBS)
}
untouched() { sync; expect_equal "$ROW: every byte of the volumes is as before" "$volumes" "$(hash_disks $EBS)"; }
said() { query "$REPORT" '" ".join(f["message"] for f in it["findings"])'; }
# left_alone REGEX [DISKS]: the run is well, with so many disks, and says why the others are none of ours.
left_alone() {
    check_status "$ROW: ready" 0 "$MUSTER" run >/run/log 2>&1 || tail -n 20 /run/log
    expect_equal "$ROW: disks joined" "${2:-0}" "$(query "$REPORT" 'len((it.get("storage") or {}).get("devices", []))')"
    expect_match "$ROW: what it says" "$1" "$(said)"
    untouched
}

xen m3.large "$three"
start '"any"' "an m3.large has one ephemeral disk"
left_alone "loop1 is left alone: the mapping calls it ephemeral1, but .*m3.large.* 1 .*loop2 is left alone" 1
start 1 "one is expected"
left_alone "loop2 is left alone: the mapping calls it ephemeral2" 1
stop_simulator

xen m3.xlarge "$three"
start 1 "two disks at ephemeral names, and one is expected"
refused ephemeral-foreign-data "2 disks .*expected 1.*ephemeral.expect"
expect_equal "$ROW: recreate" false "$(query "$REPORT" 'it["recreate"]')"
untouched
stop_simulator

for type in i3.large m4.large g2.2xlarge; do
    xen $type "$three"
    start '"any"' "$type has no ephemeral disk without a model"
    left_alone "loop0 is left alone: .*$type.*loop1 is left alone"
    stop_simulator
done

# ---- links ---------------------------------------------------------------------------------------------
ln -s xvdc /dev/sdk
xen m3.large '"ami": "sda1", "root": "/dev/sda1", "ephemeral0": "sdk"'
start '"any"' "a link at the ephemeral disk's name"
left_alone "loop1 is left alone: the mapping calls it ephemeral0, but /dev/sdk is a link"
stop_simulator
ln -s xvdb /dev/sdb
xen m3.large "$three"
start 1 "a link beside the node, as Amazon's udev rule makes it"
left_alone "assembled from 1 disks" 1
stop_simulator
rm /dev/sdb
ln -s xvdd /dev/sdb
xen m3.large "$three"
start 1 "a link beside the node, to another disk"
refused cannot-tell "ephemeral0 .*may be any of 2 disks"
untouched
stop_simulator
rm /dev/sdb /dev/sdk

# ---- a volume that is larger than the type's disks -----------------------------------------------------
truncate -s 5G /run/large
losetup /dev/loop5 /run/large
mknod /dev/xvdm b 7 5
xen m3.medium '"ami": "sda1", "root": "/dev/sda1", "ephemeral0": "sdm"'
start '"any"' "a volume that is larger than the type's disk"
left_alone "loop5 is left alone: the mapping calls it ephemeral0, but .*m3.medium"
expect_equal "$ROW: it is blank" "" "$(blkid -p /dev/loop5)"
stop_simulator
EPHEMERAL=xvdm blank_disks
losetup -d /dev/loop5

# ---- a group of our name on what is no disk of EC2's ---------------------------------------------------
xen m3.large "$three"
modprobe brd rd_nr=1 rd_size=16384
modprobe zram num_devices=1
truncate -s 16M /run/far
qemu-nbd --fork --format raw --connect /dev/nbd0 /run/far
wait_for vgcreate -q muster /dev/nbd0
for node in nbd0 ram0; do
    [[ $node == nbd0 ]] || vgcreate -q muster /dev/$node
    start '"any"' "a group of our name on $node"
    refused ephemeral-foreign-data "volume group muster exists already, on /dev/$node, which is not ephemeral"
    vgremove -q -y muster
done
start 1 "no such group any more"
left_alone "assembled from 1 disks" 1
mknod /dev/xvdn b 43 0
stop_simulator
xen m3.large '"ami": "sda1", "root": "/dev/sda1", "ephemeral0": "sdn"'
start '"any"' "a network block device at the ephemeral disk's name"
left_alone "nbd0 is left alone: the mapping calls it ephemeral0, but the kernel calls it nbd0"
stop_simulator
qemu-nbd --disconnect /dev/nbd0
check "the end" true
