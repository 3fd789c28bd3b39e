# The power goes inside lvcreate: LVM has committed the volume, and has not wiped what lies under it. Whatever that is,
# the next boot ends ready with a filesystem of muster's own.
#: disks 3
#: size 320M
#: variants before=stranger before=stripes before=raw
#: time 150
#: boot off
#: boot
# shellcheck disable=SC2154 # before
use() { # use DISKS MORE
    configure "{ \"ephemeral\": { \"expect\": $1, \"deadline\": \"2s\" $2 } }"
    simulator script "{ \"instance\": { \"block-device-mapping\": null } }" >/dev/null
    simulator script "{ \"instance\": { \"block-device-mapping\":
        $(EPHEMERAL=$(echo $EPHEMERAL | cut -d' ' -f-"$1") mapping) } }" >/dev/null
}
raw=', "volumes": { "scratch": { "filesystem": "none", "mount": null } }'
assemble() { # assemble DISKS: and take the mount away
    use "$1" ""
    "$MUSTER" run >/run/log 2>&1 || { fail "assembled first"; tail -n 20 /run/log; }
    umount /mnt/scratch
    vgchange -q -an muster
}
# The disks before the cut, and what muster is told to do with them.
prepare() {
    case $before in
    stranger) # one disk, partitioned: what is in its partition begins where our volume will
        stranger_moves_in
        use 1 ', "on_foreign_data": "wipe"'
        ;;
    stripes) # three disks' stripes under a volume on two of them
        assemble 3
        use 2 ', "on_partial": "rebuild"'
        dd if=/dev/zero of=/dev/loop2 bs=1M count=1 conv=notrunc,fsync status=none
        ;;
    raw) # a volume for raw data where a filesystem was
        assemble 1
        vgremove -q -y muster
        use 1 "$raw"
        ;;
    esac
}
cut_inside_lvcreate() {
    mv /usr/sbin/lvm /usr/sbin/lvm.real
    cat >/usr/sbin/lvm <<'LVM'
#!/bin/bash
[[ $1 == lvcreate ]] || exec -a lvm /usr/sbin/lvm.real "$@"
words=() last=
for word in "$@"; do
    [[ $last == --wipesignatures || $last == --zero ]] && word=n
    words+=("$word")
    last=$word
done
(exec -a lvm /usr/sbin/lvm.real "${words[@]}") && : >COMMITTED
sync
echo o >/proc/sysrq-trigger
sleep infinity
LVM
    sed -i "s|COMMITTED|$WORK/committed|" /usr/sbin/lvm
    chmod 755 /usr/sbin/lvm
}
stranger_moves_in() {
    printf 'label: gpt\nstart=2048\n' | sfdisk -q --no-reread --no-tell-kernel /dev/loop0
    losetup --offset 1M --sizelimit 310M /dev/loop5 /dev/loop0
    mkfs.xfs -q -f -L payroll /dev/loop5
    mkdir -p /run/partition
    mount /dev/loop5 /run/partition
    echo "name,amount" >/run/partition/payroll.csv
    umount /run/partition
    losetup -d /dev/loop5
    sync
}
start_simulator --script healthy

if [[ $BOOT == 1 ]]; then
    prepare
    cut_inside_lvcreate
    "$MUSTER" run >/run/log 2>&1
    fail "lvcreate was not reached"
    tail -n 20 /run/log
else
    check "LVM had committed the volume" test -e "$WORK/committed"
    say "$(lvs --noheadings -o lv_name,lv_tags 2>&1)"
    case $before in
    stranger) use 1 ', "on_foreign_data": "wipe"' ;;
    stripes) use 2 ', "on_partial": "rebuild"' ;;
    raw) use 1 "$raw" ;;
    esac
    check_status "ready" 0 "$MUSTER" run >/run/log 2>&1 || tail -n 20 /run/log
    expect_match "the report says what became of the volume" "remove the volume scratch from muster" \
        "$(query "$REPORT" 'it["storage"]["changes"]')"
    expect_equal "the volume is finished" "" "$(lvs --noheadings -o lv_tags muster | grep unfinished)"
    if [[ $before == raw ]]; then
        expect_equal "nothing is left of what lay under it" "" "$(blkid -p /dev/mapper/muster-scratch)"
    else
        expect_match "mounted" "/mnt/scratch xfs rw" "$(cat /proc/mounts)"
        expect_equal "and empty" "" "$(ls /mnt/scratch)"
    fi
    check_status "and again: nothing to do" 0 "$MUSTER" plan >/run/plan 2>&1
    expect_match "so says plan" "nothing to do" "$(cat /run/plan)"
    if [[ $before != raw ]]; then
        check "the filesystem is whole" sh -c 'umount /mnt/scratch && xfs_repair -n /dev/mapper/muster-scratch'
    fi
fi
true
