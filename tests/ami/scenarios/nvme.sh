# A real NVMe stack with EC2's models: eight instance-store disks become one volume group and both EBS volumes
# stay as they are, though one carries our own tags; after a reboot under other numbers all is found again.
#
# Not tested by this: the name that EC2 writes into Identify's vendor area (the kernel's target leaves it
# zero), so the EBS volumes are configured by volume id; and a PCI bus whose controllers no driver has taken.
#: disks 8
#: ebs 2
#: memory 1536M
#: time 900
#: soak decoy=group decoy=filesystem,kernel=nvme_core.multipath=N
#: boot
#: boot
ebs='"ebs": { "data": { "volume_id": "vol-0123456789abcde00" }, "logs": { "volume_id": "vol0123456789abcde01" } }'
read -ra disks <<<"$EPHEMERAL"
read -ra volumes <<<"$EBS"
decoy=${decoy:-group}

serials() { # NAME...
    local name
    for name in "$@"; do tr -d ' ' <"/sys/block/$name/device/serial"; done | sort | tr '\n' ' '
}
# Where the volume group lies: the kernel's names of its disks, as the kernel itself tells.
below() {
    local node
    node=$(readlink -f /dev/mapper/muster-scratch)
    ls "/sys/block/${node##*/}/slaves"
}
hash_volumes() { hash_disks "${volumes[@]}" | cut -d' ' -f2; }

say "connected in this order: $ORDER"
say "instance store: $EPHEMERAL; EBS: $EBS"
case $(cat /proc/cmdline) in
*multipath=N*) expect_equal "no hidden nodes" 0 "$(cat /sys/block/*/hidden | grep -c 1)" ;;
*) expect_equal "a hidden node for each disk" 10 "$(cat /sys/block/*/hidden | grep -c 1)" ;;
esac
expect_equal "ten disks and the root" 11 "$(lsblk -dno NAME | grep -c nvme)"
start_simulator --script nvme

case $BOOT in
1)
    echo "$ORDER" >"$WORK/order"
    # The first volume is what would be taken for ours: by its tags, or as a formatted scratch.
    case $decoy in
    group)
        check "a volume group on EBS with our tags" vgcreate --setautoactivation n --addtag muster \
            --addtag muster.instance=i-0123456789abcdef0 decoy "/dev/${volumes[0]}"
        check "and a volume in it" lvcreate -y -an -Zn -Wn -n scratch -l 4 \
            --addtag muster.filesystem=xfs decoy
        ;;
    filesystem) check "a file system on EBS" mkfs.ext4 -q -L scratch "/dev/${volumes[0]}" ;;
    esac
    sync
    hash_volumes >"$WORK/hashes"
    cat "$WORK/hashes"

    configure "{ \"ephemeral\": { \"expect\": 8 }, $ebs }"
    "$MUSTER" plan --json >/run/plan.json
    expect_equal "plan: make and mount, nothing refused" "4 0" \
        "$(query /run/plan.json '"{} {}".format(len(it["steps"]), len(it["refusals"]))')"
    check_status "run: ready and delivered" 0 "$MUSTER" run
    expect_equal "the group is on these eight" "$(printf '%s\n' "${disks[@]}" | sort)" "$(below)"
    expect_equal "the report: the same eight" "$(serials "${disks[@]}")" \
        "$(query "$REPORT" '"".join(sorted(d["serial"].strip() + " " for d in it["storage"]["devices"]))')"
    echo kept >/mnt/scratch/kept
    blkid -s UUID -o value /dev/mapper/muster-scratch >"$WORK/uuid"
    ;;
2)
    check_not "other numbers than the boot before" test "$ORDER" = "$(cat "$WORK/order")"
    expect_equal "the group is not active before muster runs" "" "$(find /dev/mapper -name 'muster*')"
    # Any number of disks: then what shows is waited for. This controller has no namespace for a while.
    namespace=/sys/kernel/config/nvmet/subsystems/ephemeral3/namespaces/1
    echo 0 >"$namespace/enable"
    check "a disk is missing" wait_for test ! -e "/dev/${disks[3]}"
    configure "{ $ebs }"
    "$MUSTER" run --log-level debug >/run/run.out 2>&1 &
    agent=$!
    check "muster waits for it" wait_for grep -q 'waiting for="ephemeral disks: 7 so far' /run/run.out
    sleep 2
    echo 1 >"$namespace/enable"
    wait "$agent"
    expect_equal "run, any number: ready and delivered" 0 $?
    cat /run/run.out
    expect_equal "made no file system" "$(cat "$WORK/uuid")" "$(blkid -s UUID -o value /dev/mapper/muster-scratch)"
    expect_match "only activated and mounted" "activate the volume group muster.*mount scratch" \
        "$(query "$REPORT" 'it["storage"]["changes"]')"
    expect_equal "what was written before the reboot is there" kept "$(cat /mnt/scratch/kept)"
    expect_equal "the group is on eight" 8 "$(below | wc -l)"
    ;;
esac
expect_equal "the endpoint holds ready" ready "$(query "$REPORTS" 'it["json"]["outcome"]')"
expect_equal "the EBS volumes: every byte is as before" "$(cat "$WORK/hashes")" "$(hash_volumes)"
check_status "probe" 0 "$MUSTER" probe
expect_equal "plan: nothing to do" "[]" "$("$MUSTER" plan --json >/run/plan.json; query /run/plan.json 'it["steps"]')"
check_status "run again: ready" 0 "$MUSTER" run
expect_equal "no step was taken" "[]" "$(query "$REPORT" 'it["storage"]["changes"]')"
keep "$REPORT" /run/muster/status.json
