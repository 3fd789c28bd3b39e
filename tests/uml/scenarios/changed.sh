# The configuration changes, the disks do not: what the group cannot give is refused as `layout-changed`, without
# advice to recreate and with every byte as before; and the way out that the message tells leads out.
#: disks 3
#: ebs 1
#: size 64M
#: time 600
#: boot
FILESYSTEM=ext4
# shellcheck disable=SC1091
. "$SOURCE/tests/uml/starts.sh"

# volumes JSON [GROUP]: the configuration from now on.
volumes() {
    configure "{ \"ephemeral\": { \"expect\": 3, \"deadline\": \"$DEADLINE\", \"volume_group\": \"${2:-muster}\",
        \"on_foreign_data\": \"wipe\", \"on_partial\": \"rebuild\", \"volumes\": $1 } }"
}
one() { printf '{ "scratch": { "filesystem": "ext4", "size": "%s" } }' "$1"; }
two() {
    printf '{ "scratch": { "filesystem": "ext4", "size": "%s" },
        "logs": { "filesystem": "ext4", "mount": "/logs", "size": "%s", "layout": "%s" } }' "$1" "$2" "${3:-striped}"
}
# begin NAME JSON: blank disks, assembled so, with a file on scratch; then the volumes are down as after a reboot.
begin() {
    umount /logs 2>/dev/null
    blank_disks
    ROW=$1
    volumes "$2"
    assemble
    date >/mnt/scratch/kept
    down
}
down() {
    umount /logs /mnt/scratch 2>/dev/null
    vgchange -q -an muster
}
layout_changed() {
    refused layout-changed "$1"
    expect_equal "$ROW: a new instance is not advised" false "$(query "$REPORT" 'it["recreate"]')"
}
out() { # out WAY: taken
    ROW="$ROW, $1"
    check_status "$ROW: ready" 0 "$MUSTER" run >/run/log 2>&1 || tail -n 20 /run/log
    check "$ROW: the data are there" test -s /mnt/scratch/kept
}

begin "one volume of all becomes two of a half" "$(one 100%)"
volumes "$(two 50% 50%)"
layout_changed "logs.* 0 are free"
volumes "$(one 100%)"
out "the configuration goes back"
ROW="one volume of all becomes two of a half, while it is mounted"
volumes "$(two 50% 50%)"
mount -o remount,ro /mnt/scratch # or ext4 goes on writing
layout_changed "logs.* 0 are free"
umount /mnt/scratch
lvremove -q -y muster/scratch
ROW="$ROW, the volume is removed"
check_status "$ROW: ready" 0 "$MUSTER" run >/run/log 2>&1 || tail -n 20 /run/log
expect_match "$ROW: both are mounted" "/mnt/scratch ext4.*/logs ext4|/logs ext4.*/mnt/scratch ext4" "$(tr '\n' ' ' </proc/mounts)"

begin "a volume is renamed" "$(one 100%)"
lvrename -q muster scratch data
volumes "$(one 100%)"
layout_changed "scratch.*lvrename muster"
lvrename -q muster data scratch
out "and named back"

begin "a volume is renamed, and half of the group is free" "$(one 50%)"
lvrename -q muster scratch data
volumes "$(one 100%)"
layout_changed "scratch.*lvrename muster"

begin "a volume is to be larger" "$(one 60MiB)"
volumes "$(one 120MiB)"
layout_changed "scratch.* has 60.0 MiB, .* 120.0 MiB"
volumes "$(one 40MiB)"
out "a smaller one is asked for"

begin "there is room for one more" "$(one 50%)"
volumes "$(two 50% 50%)"
out "it is made"
expect_match "$ROW: mounted" "/logs ext4" "$(cat /proc/mounts)"

begin "there is room, but not on each disk" "$(one 30%)"
down
lvcreate -q -y -n theirs -l 100%PVS muster /dev/loop0
lvchange -q -an muster/theirs
volumes "$(two 30% 40MiB)"
layout_changed "logs.*striped over 3 disks"
volumes "$(two 30% 40MiB linear)"
out "a linear one fits"

begin "there is less room than is asked for" "$(one 50%)"
lvcreate -q -y -n theirs -l 20%VG muster
lvchange -q -an muster/theirs
volumes "$(two 50% 50%)"
layout_changed "logs"

begin "the group is to have another name" "$(one 100%)"
volumes "$(one 100%)" data
layout_changed "muster.*this instance's.*vgrename muster data"
vgchange -q -ay muster
mount -o ro /dev/muster/scratch /mnt/scratch
ROW="the group is to have another name, while it is mounted"
layout_changed "muster.*this instance's.*vgrename muster data"
umount /mnt/scratch
vgrename -q muster data
out "and is renamed"

stop_simulator
check "the end" true
