# What is made of the disks: several volumes, one disk, sectors of 4096 bytes, disks of several sizes; and
# the filesystems' geometry.
#: disks 4
#: size 400M
#: time 300
#: boot
start_simulator --script healthy
setup() { # setup NAME DISKS VOLUMES
    blank_disks
    umount /logs 2>/dev/null
    ROW=$1
    simulator script "{ \"instance\": { \"block-device-mapping\": null } }" >/dev/null
    simulator script "{ \"instance\": { \"block-device-mapping\": $(EPHEMERAL=$2 mapping) } }" >/dev/null
    configure "{ \"ephemeral\": { \"expect\": $(wc -w <<<"$2"), \"volumes\": $3 } }"
    check_status "$ROW: ready" 0 "$MUSTER" run >/run/log 2>&1 || tail -n 20 /run/log
    check_status "$ROW: again, nothing to do" 0 "$MUSTER" plan >/run/plan 2>&1
    expect_match "$ROW: so says plan" "nothing to do" "$(cat /run/plan)"
}
table() { dmsetup table "$1" | awk '{ print $3, $4, $5 }' | sort -u | head -n 1; }
geometry() { xfs_info "$1" | grep -oE 'sectsz=[0-9]+|sunit=[0-9]+|swidth=[0-9]+' | tr '\n' ' '; }
scratch='{ "scratch": { } }'

setup "four disks" "xvdb xvdc xvdd xvde" "$scratch"
expect_match "$ROW: striped by 256 KiB" "^striped 4 512$" "$(table muster-scratch)"
# Blocks of 4 KiB: 64 of them are 256 KiB. The log (the last) is not striped: docs/disks.md.
expect_match "$ROW: XFS knows" "sunit=64 swidth=256 .*sunit=1 " "$(geometry /mnt/scratch)"

setup "one disk" "xvdb" "$scratch"
expect_match "$ROW: linear" "^linear " "$(table muster-scratch)"
expect_match "$ROW: no stripes" "sunit=0 swidth=0" "$(geometry /mnt/scratch)"

setup "stripes of 1 MiB" "xvdb xvdc" '{ "scratch": { "stripe_size": "1MiB" } }'
expect_match "$ROW" "^striped 2 2048$" "$(table muster-scratch)"
expect_match "$ROW: XFS knows, and its log is not" "sunit=256 swidth=512 .*sunit=1 " "$(geometry /mnt/scratch)"

setup "linear, ext4" "xvdb xvdc" '{ "scratch": { "layout": "linear", "filesystem": "ext4" } }'
expect_match "$ROW" "^linear " "$(table muster-scratch)"
expect_match "$ROW: over both" "loop0 loop1 " "$(ls "/sys/block/$(basename "$(readlink -f /dev/mapper/muster-scratch)")/slaves" | tr '\n' ' ')"

setup "striped, ext4" "xvdb xvdc xvdd" '{ "scratch": { "filesystem": "ext4" } }'
expect_match "$ROW: stride and stripe width, in blocks" "RAID stride: +64.*RAID stripe width: +192" \
    "$(tune2fs -l /dev/mapper/muster-scratch | tr '\n' ' ')"

setup "several volumes" "xvdb xvdc xvdd xvde" '{ "scratch": { "size": "60%" },
    "logs": { "size": "100MiB", "layout": "linear", "filesystem": "ext4", "mount": "/logs", "mode": "0750", "owner": "games:adm" },
    "raw": { "size": "64MiB", "filesystem": "none", "mount": null } }'
expect_match "$ROW" "^striped 4 512$" "$(table muster-scratch)"
expect_match "$ROW: logs" "/logs ext4 rw,noatime" "$(cat /proc/mounts)"
expect_equal "$ROW: its mode and owner" "750 games:adm" "$(stat -c '%a %U:%G' /logs)"
expect_equal "$ROW: raw has no filesystem" "" "$(blkid -p /dev/mapper/muster-raw)"
expect_equal "$ROW: and its size" $((64 << 20)) "$(blockdev --getsize64 /dev/mapper/muster-raw)"

umount /logs
blank_disks
for disk in 0 1; do
    losetup -d "/dev/loop$disk"
    losetup --sector-size 4096 "/dev/loop$disk" "$WORK/xvd$(printf '%b' "\\x6$((disk + 2))").disk"
done
setup "sectors of 4096 bytes" "xvdb xvdc" "$scratch"
expect_equal "$ROW: so they are" 4096 "$(cat /sys/block/loop0/queue/logical_block_size)"
expect_match "$ROW" "^striped 2 512$" "$(table muster-scratch)"
expect_match "$ROW: XFS knows" "sectsz=4096 .*sunit=64 swidth=128 .*sunit=1 " "$(geometry /mnt/scratch)"

blank_disks
configure '{ "ephemeral": { "expect": 2, "on_foreign_data": "wipe" } }'
mkfs.ext4 -q /dev/loop0
mkswap -q /dev/loop1
check_status "sectors of 4096 bytes, to be wiped: ready" 0 "$MUSTER" run

blank_disks
for disk in 0 1; do
    losetup -d "/dev/loop$disk"
    losetup "/dev/loop$disk" "$WORK/xvd$(printf '%b' "\\x6$((disk + 2))").disk"
done
losetup -d /dev/loop3
truncate -s 800M "$WORK/xvde.disk"
losetup /dev/loop3 "$WORK/xvde.disk"
setup "one disk larger than the others" "xvdb xvdc xvde" "$scratch"
expect_match "$ROW: striped over as much as each has" "^striped 3 512$" "$(table muster-scratch)"
check "$ROW: nearly all of the smaller ones" test "$(blockdev --getsize64 /dev/mapper/muster-scratch)" -gt $((3 * 390 << 20))
say "$(vgs muster)"
setup "one disk larger than the others, linear" "xvdb xvdc xvde" '{ "scratch": { "layout": "linear" } }'
check "$ROW: all of all" test "$(blockdev --getsize64 /dev/mapper/muster-scratch)" -gt $((1580 << 20))
stop_simulator
check "the end" true
