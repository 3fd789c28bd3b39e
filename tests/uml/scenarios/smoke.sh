# The harness itself: LVM by hand on blank disks, and nothing of it reaches the host.
#: disks 2
#: boot
#: boot
#: boot blank
check_not "nothing that a boot before this one wrote outside its disks" test -e /etc/was-written
: >/etc/was-written
case $BOOT in
1)
    for disk in $EPHEMERAL; do
        expect_equal "$disk is blank" "" "$(blkid -p "/dev/$disk")"
    done
    blank=$(hash_disks loop1)
    expect_equal "a disk has one hash by both its names" "${blank#* }" "$(hash_disks xvdc | cut -d' ' -f2)"
    printf x | dd of=/dev/loop1 bs=1 seek=123456789 conv=notrunc status=none
    check_not "one byte makes another" test "$blank" = "$(hash_disks loop1)"
    dd if=/dev/zero of=/dev/loop1 bs=1 seek=123456789 count=1 conv=notrunc status=none
    expect_equal "and without it, it is the first again" "$blank" "$(hash_disks loop1)"
    check "vgcreate" vgcreate smoke /dev/loop0 /dev/loop1 </dev/null
    check "lvcreate" lvcreate -y -i 2 -l 100%FREE -n scratch smoke </dev/null
    check "mkfs.xfs" mkfs.xfs -q -K /dev/smoke/scratch
    ;;
2)
    check "the volume group is still there" vgchange -ay smoke
    ;;
3)
    expect_equal "new disks are blank" "" "$(blkid -p /dev/xvdb)$(blkid -p /dev/xvdc)"
    expect_equal "/var/lib/muster is kept" "1
2" "$(cat /var/lib/muster/boots)"
    ;;
esac
if [[ $BOOT != 3 ]]; then
    mkdir -p /mnt/scratch
    check "mount" mount /dev/smoke/scratch /mnt/scratch
    expect_match "it is in /proc/mounts" "/dev/mapper/smoke-scratch /mnt/scratch xfs rw" "$(cat /proc/mounts)"
    echo "$BOOT" >>/mnt/scratch/boots
    echo "$BOOT" >>/var/lib/muster/boots
    [[ $BOOT == 1 ]] || expect_equal "what the first boot wrote is there" 1 "$(head -n 1 /mnt/scratch/boots)"
fi
zombies() { ps -eo stat=,args= | grep '^Z'; }
(:) & # an orphan, once this shell's child has ended
expect_match "ps works" "[0-9]" "$(ps -o pid= -p 1)"
none_unreaped() { [[ -z $(zombies) ]]; }
check "no process stays unreaped" wait_for none_unreaped
