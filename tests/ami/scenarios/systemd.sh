# What systemd makes of a volume that muster has mounted by mount(2): a unit, which services can need, and
# which is unmounted in order when the machine goes down; its group is not activated behind muster's back.
#: disks 2
#: ebs 1
#: time 900
#: kernel loglevel=7
#: console All DM devices detached
#: never Failed unmounting /mnt/scratch|Failed to deactivate|Could not detach DM|muster-scratch.*busy
#: soak yes
#: boot
#: boot
unit() { systemctl show -P "$2" "$1"; }
needs() { # NAME: a service that needs the volume, and holds it
    cat >"/etc/systemd/system/$1.service" <<END
[Unit]
RequiresMountsFor=/mnt/scratch
[Service]
ExecStart=/bin/sh -c 'exec sleep infinity >>/mnt/scratch/held'
END
    systemctl daemon-reload
}

configure '{ "ephemeral": { "expect": 2 }, "ebs": {} }'
start_simulator --script nvme
case $BOOT in
1)
    # Somebody's own group, as LVM makes it: udev activates it at the next boot. That of muster it does not.
    check "a volume group on EBS" vgcreate theirs "/dev/$EBS"
    check "and a volume in it" lvcreate -y -Zn -Wn -n data -l 4 theirs
    needs early
    expect_equal "before muster has run systemd knows no unit" inactive "$(unit mnt-scratch.mount ActiveState)"
    check_status "run: ready and delivered" 0 "$MUSTER" run
    ;;
2)
    wait_for test -e /dev/mapper/theirs-data
    check "udev activated somebody's group" test -e /dev/mapper/theirs-data
    check_not "and not muster's" test -e /dev/mapper/muster-scratch
    expect_equal "LVM says so, too" "" "$(lvs --noheadings -o lv_active muster | tr -d ' ')"
    check_status "run: ready and delivered" 0 "$MUSTER" run
    expect_equal "what a service wrote is there" 1 "$(cat /mnt/scratch/boots)"
    expect_match "it was unmounted cleanly" "Ending clean mount" "$(dmesg | grep XFS)"
    check_not "there was nothing to recover" grep -q "Starting recovery" <(dmesg)
    ;;
esac
echo "$BOOT" >>/mnt/scratch/boots

expect_equal "systemd has a unit of it" "active mounted" \
    "$(unit mnt-scratch.mount ActiveState) $(unit mnt-scratch.mount SubState)"
expect_match "which requires its device" 'dev-mapper-muster.*x2dscratch.device' "$(unit mnt-scratch.mount Requires)"
expect_equal "which is there" plugged "$(unit 'dev-mapper-muster\x2dscratch.device' SubState)"
needs late
for service in early late; do
    check "a service that needs it starts ($service)" systemctl start "$service"
    expect_match "it comes after the mount, and so goes before it ($service)" "mnt-scratch.mount" "$(unit "$service" After)"
done
dmesg | grep XFS
echo "Requires of early: $(unit early Requires)"
echo "Requires of late: $(unit late Requires)"
systemctl status --no-pager --full mnt-scratch.mount 'dev-mapper-muster\x2dscratch.device'
udevadm info /dev/mapper/muster-scratch
systemctl show mnt-scratch.mount -p After -p Before -p Conflicts -p BindsTo -p Requires -p WantedBy
systemctl list-units --failed --no-pager
systemctl is-enabled blk-availability; systemctl is-active blk-availability
expect_equal "no unit has failed" "" "$(systemctl list-units --failed --plain --no-legend)"
