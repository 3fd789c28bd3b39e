# The same binary with the tools of another release of Debian (tests/uml/userland has made it), in a chroot: LVM,
# mkfs and the libraries they need are that release's, the kernel and its udevd are this machine's.
#: disks 3
#: ebs 1
#: time 240
#: needs userland.$release
#: variants release=trixie
#: soak release=bullseye release=bookworm
release=${release:-trixie}
root=$SOURCE/build/userland/$release
check "tests/uml/userland $release was made" test -x "$root/sbin/lvm" || exit 1
mkdir -p /mnt/userland
mount --bind "$(readlink -f "$root")" /mnt/userland # as a root it is a mount of its own
root=/mnt/userland
start_simulator --script healthy
for folder in dev proc sys run; do mount --rbind /$folder "$root/$folder"; done
mkdir -p "$root/etc/muster" "$root/var/lib/muster"
mount --bind /etc/muster "$root/etc/muster"
cp "$MUSTER" "$root/usr/sbin/muster"
inside() { chroot "$root" "$@"; }
muster() { inside /usr/sbin/muster "$@" >/run/log 2>&1 || { local status=$?; cat /run/log; return $status; }; }

say "| $release | $(inside lvm version | awk '/LVM version/ { print $3 }') | $(inside mkfs.xfs -V | awk '{ print $NF }') \
| $(inside mke2fs -V 2>&1 | awk 'NR == 1 { print $2 }') | $(inside blkid -V | awk '{ print $4 }') |"

# one FILESYSTEM: blank disks become a volume, again changes nothing, after a reboot it is only mounted.
one() {
    local before seqno
    blank_disks
    configure "{ \"ephemeral\": { \"expect\": 3, \"volumes\": { \"scratch\": { \"filesystem\": \"$1\" } } } }"
    before=$(hash_disks $EPHEMERAL $EBS)
    check_status "$1: plan" 0 muster plan
    expect_equal "$1: plan wrote nothing" "$before" "$(hash_disks $EPHEMERAL $EBS)"
    check_status "$1: ready and delivered" 0 muster run
    expect_equal "$1: three stripes" 3 "$(inside lvs --noheadings -o stripes muster/scratch 2>/dev/null | tr -d ' ')"
    expect_equal "$1: the group is ours" "muster,muster.instance=i-0123456789abcdef0" \
        "$(inside vgs --noheadings -o vg_tags muster 2>/dev/null | tr -d ' ')"
    expect_equal "$1: mounted" "$1" "$(awk '$1 == "/dev/mapper/muster-scratch" { print $3 }' "$root/proc/mounts")"
    check "$1: it can be written to" sh -c "echo kept >$root/mnt/scratch/kept && sync -f $root/mnt/scratch/kept"
    seqno=$(inside vgs --noheadings -o vg_seqno muster 2>/dev/null)
    check_status "$1: again" 0 muster run
    expect_equal "$1: no step was taken" "[]" "$(query "$REPORT" 'it["storage"]["changes"]')"
    expect_equal "$1: LVM wrote nothing" "$seqno" "$(inside vgs --noheadings -o vg_seqno muster 2>/dev/null)"

    umount "$root/mnt/scratch"
    inside vgchange -q --activate n muster >/dev/null 2>&1 || fail "$1: as after a reboot"
    check_status "$1: after a reboot" 0 muster run
    expect_match "$1: only activated and mounted" '^\["activate the volume group muster.*mount scratch[^,]*"\]$' \
        "$(query "$REPORT" 'it["storage"]["changes"]')"
    expect_equal "$1: with what was written before" kept "$(cat "$root/mnt/scratch/kept")"
    umount "$root/mnt/scratch"
}
# LVM of 2.03.12 and later says in the middle of its report that it tries again.
one_damaged() {
    python3 -S -E - <<'END'
import os, struct
disk = os.open("/dev/loop0", os.O_RDWR)
offset, size = struct.unpack("<QQ", os.pread(disk, 16, 4096 + 40))
place = 4096 + offset + size // 2
os.pwrite(disk, bytes([os.pread(disk, 1, place)[0] ^ 1]), place)
os.fsync(disk)
END
    check_status "one damaged copy of the metadata: ready" 0 muster run
    expect_equal "one damaged copy of the metadata: the data are there" kept "$(cat "$root/mnt/scratch/kept")"
    umount "$root/mnt/scratch"
}
one xfs
one_damaged
one ext4

blank_disks
inside vgcreate -q -y theirs "/dev/${EPHEMERAL%% *}" >/dev/null 2>&1 || fail "a group of somebody else's"
before=$(hash_disks $EPHEMERAL)
check_status "somebody else's group: failed and delivered" 1 muster run
expect_equal "the reason" ephemeral-foreign-data "$(query "$REPORTS" 'it["json"]["reason"]["code"]')"
expect_equal "every byte is as before" "$before" "$(hash_disks $EPHEMERAL)"
