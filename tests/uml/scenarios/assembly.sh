# Blank disks become one mounted volume; a second run changes nothing; a reboot mounts it again; new
# disks after a stop and start are assembled anew.
#: disks 4
#: ebs 1
#: variants disks=4 disks=24,size=320M,time=300
#: soak disks=1 disks=2
#: boot
#: boot
#: boot blank
configure '{ "ephemeral": { "expect": '"$(wc -w <<<"$EPHEMERAL")"' } }'
start_simulator --script healthy

# The report, lvs and /proc/mounts tell the same.
agree() {
    local stripes disks
    disks=$(wc -w <<<"$EPHEMERAL")
    stripes=$(lvs --noheadings -o stripes muster/scratch | tr -d ' ')
    expect_equal "lvs: striped over $disks disks" "$disks" "$stripes"
    expect_equal "report: the disks of the volume" "$disks" "$(query "$REPORT" 'len(it["storage"]["volumes"][0]["disks"])')"
    expect_equal "report: the devices" "$disks" "$(query "$REPORT" 'len(it["storage"]["devices"])')"
    expect_equal "report and lvs: the size" \
        "$(lvs --noheadings --units b --nosuffix -o lv_size muster/scratch | tr -d ' ')" \
        "$(query "$REPORT" 'it["storage"]["volumes"][0]["size"]')"
    expect_equal "report and /proc/mounts: where it is mounted" \
        "$(awk '$1 == "/dev/mapper/muster-scratch" { print $2, $3 }' /proc/mounts)" \
        "$(query "$REPORT" '"{mount} {filesystem}".format(**it["storage"]["volumes"][0])')"
    expect_equal "the VG carries our tags" "muster,muster.instance=i-0123456789abcdef0" \
        "$(vgs --noheadings -o vg_tags muster | tr -d ' ')"
    expect_equal "mode of the mount point" 1777 "$(stat -c %a /mnt/scratch)"
}

check_status "run: ready and delivered" 0 "$MUSTER" run
expect_equal "the endpoint holds ready" ready "$(query "$REPORTS" 'it["json"]["outcome"]')"
expect_equal "in-progress came first" in-progress "$(query "$REPORTS" 'them[-2]["json"]["outcome"]')"
agree
case $BOOT in
1 | 3)
    expect_match "assembled" "assembled from" "$(cat "$REPORT")"
    # LVM wrote through nodes that udev does not watch; it was told when all was done.
    udevadm settle
    for name in $EPHEMERAL; do
        expect_equal "udev knows what $name is now" LVM2_member \
            "$(udevadm info --query=property --property=ID_FS_TYPE --value "$(readlink -f "/dev/$name")")"
    done
    check_not "the nodes are gone" test -e /dev/.muster
    check_not "nothing of an earlier life is there" test -e /mnt/scratch/kept
    echo kept >/mnt/scratch/kept
    ;;
2)
    expect_equal "what was written before the reboot is there" kept "$(cat /mnt/scratch/kept)"
    expect_match "only activated and mounted" "activate the volume group muster.*mount scratch" \
        "$(query "$REPORT" 'it["storage"]["changes"]')"
    ;;
esac

# Again, on a machine that is done.
seqno=$(vgs --noheadings -o vg_seqno muster)
check_status "plan: nothing to do" 0 "$MUSTER" plan
check_status "run again: ready" 0 "$MUSTER" run
expect_equal "no step was taken" "[]" "$(query "$REPORT" 'it["storage"]["changes"]')"
expect_equal "LVM wrote nothing" "$seqno" "$(vgs --noheadings -o vg_seqno muster)"
agree
keep "$REPORT" /run/muster/status.json
check "status" "$MUSTER" status
"$MUSTER" status
