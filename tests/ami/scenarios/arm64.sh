# The whole line on arm64, with Debian's arm64 cloud kernel: the first boot is the image's build, where the package is
# installed; the second one is an instance's, which finds network and disks by itself, and muster.service joins them
# and reports.
#
# Not tested by this: Graviton's firmware, a page size other than 4 KiB, and what only time on a real core shows.
#: machine arm64
#: disks 4
#: ebs 1
#: memory 1G
#: time 600
#: services outside
#: package yes
#: soak yes
#: boot
#: boot
state() { systemctl show -P "$2" "$1"; }

expect_equal "the machine" aarch64 "$(uname -m)"
case $BOOT in
1)
    check "the package is installed" dpkg -i /source/muster.deb
    expect_equal "the program is arm64's" 00b7 "$(od -An -tx2 -j18 -N2 /usr/sbin/muster | tr -d ' ')"
    expect_equal "it is enabled" enabled "$(systemctl is-enabled muster.service)"
    configure '{ "deadline": "280s", "ephemeral": { "expect": 4 }, "ebs": { "data": { "volume_id": "vol0123456789abcde00" } } }'
    like_ec2
    systemctl -q add-wants multi-user.target muster-ready.target
    ;;
2)
    journalctl -b -u 'muster*' --no-pager -o short-monotonic
    cat "$REPORT"
    expect_equal "the verdict" ready "$(query "$REPORT" 'it["outcome"]')"
    host reports >/run/reports.json
    expect_equal "the endpoint has it" "in-progress ready" "$(query /run/reports.json '" ".join(r["outcome"] for r in it)')"
    expect_equal "the unit" "exited success" "$(state muster SubState) $(state muster Result)"
    expect_equal "who waits for it goes on" active "$(state muster-ready.target ActiveState)"
    check "the volume is mounted" mountpoint /mnt/scratch
    expect_equal "the group is on four disks" 4 "$(pvs --noheadings -S vg_name=muster | wc -l)"
    expect_equal "the instance" "i-0123456789abcdef0" "$(query "$REPORT" 'it["instance"]["id"]')"
    say "run took $(query "$REPORT" 'it["timings"]')"
    began=$SECONDS
    check_status "run again: ready and delivered" 0 muster run
    say "again: $((SECONDS - began)) s"
    expect_equal "no step was taken" "[]" "$(query "$REPORT" 'it["storage"]["changes"]')"
    check_status "probe" 0 muster probe
    systemd-analyze --no-pager time
    systemctl list-units --failed --plain --no-legend
    keep "$REPORT"
    ;;
esac
