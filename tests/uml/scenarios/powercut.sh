# The power goes at a random moment of an assembly, from six starts; the next boot ends ready, always,
# and the volume that is not ours is as it was.
#: disks 3
#: ebs 1
#: size 320M
#: variants cuts=2
#: soak cuts=40,time=200
#: boot cut=0.3-6 x$cuts
#: boot
starts=(stranger partial blank foreign labels group)
use() { # use START: its configuration
    local more=
    case $1 in
    foreign | stranger | group) more=', "on_foreign_data": "wipe"' ;;
    partial) more=', "on_partial": "rebuild"' ;;
    esac
    configure "{ \"ephemeral\": { \"expect\": 3, \"deadline\": \"1s\" $more } }"
}
prepare() {
    blank_disks
    case $1 in
    stranger) # whole, where the first stripe of our volume begins
        printf 'label: gpt\nstart=2048\n' | sfdisk -q --no-reread --no-tell-kernel /dev/loop0
        losetup --offset 1M /dev/loop5 /dev/loop0
        mkfs.xfs -q -f -L payroll /dev/loop5
        losetup -d /dev/loop5
        ;;
    foreign)
        mkfs.ext4 -q /dev/loop0
        printf 'label: gpt\n,\n' | sfdisk -q --no-reread --no-tell-kernel /dev/loop1
        vgcreate -q theirs /dev/loop2
        ;;
    group)
        vgcreate -q --setautoactivation n theirs /dev/loop0 /dev/loop1 /dev/loop2
        lvcreate -q -y -W n -Z n -n data -l 100%FREE theirs
        vgchange -q -an theirs
        ;;
    partial)
        "$MUSTER" run >/dev/null 2>&1
        umount /mnt/scratch
        vgchange -q -an muster
        dd if=/dev/zero of=/dev/loop2 bs=1M count=1 conv=notrunc,fsync status=none
        ;;
    labels)
        vgcreate -q gone /dev/loop0 /dev/loop1
        pvcreate -q /dev/loop2
        dd if=/dev/loop2 of=/run/empty bs=4096 skip=1 count=1 iflag=direct status=none
        for disk in loop0 loop1; do
            dd if=/run/empty of=/dev/$disk bs=4096 seek=1 conv=notrunc,fsync oflag=direct status=none
        done
        ;;
    esac
    sync
}
start_simulator --script healthy

if [[ $BOOT == 1 ]]; then
    head -c 1M /dev/urandom >/dev/loop3
    hash_disks loop3 >"$WORK/ebs.hash"
else
    before=${starts[(BOOT - 2) % ${#starts[@]}]}
    use "$before"
    say "seed $SEED, boot $BOOT, the cut one was from: $before; found: $(lsblk -rno NAME,FSTYPE | grep loop[0-2] | tr '\n' ' ')"
    check_status "cut from $before: ready" 0 "$MUSTER" run >/run/log 2>&1 || tail -n 20 /run/log
    expect_match "mounted" "/mnt/scratch xfs rw" "$(cat /proc/mounts)"
    expect_equal "with a filesystem of its own" scratch "$(blkid -p -o value -s LABEL /dev/mapper/muster-scratch)"
    expect_equal "finished" "" "$(lvs --noheadings -o lv_tags muster | grep unfinished)"
    expect_equal "striped over three" 3 "$(dmsetup table muster-scratch | awk '{ print $4 }')"
    expect_equal "the volume that is not ours" "$(cat "$WORK/ebs.hash")" "$(hash_disks loop3)"
    check "the filesystem is whole" sh -c 'umount /mnt/scratch && xfs_repair -n /dev/mapper/muster-scratch'
fi
if ((BOOT < BOOTS)); then
    now=${starts[(BOOT - 1) % ${#starts[@]}]}
    use "$now"
    prepare "$now"
    mark_cut
    "$MUSTER" run
    sleep infinity # until the cut
fi
true
