# A whole machine as its owner has it: the first boot is the image's build, where the package is installed; each one
# after it is an instance's. DMI as on Nitro, metadata at 169.254.169.254, Debian's cloud-init with the EC2 data source,
# user-data with the key `muster`, NVMe disks that are there when the machine boots, an endpoint outside of it.
#
# Not tested by this: how EC2's own network comes up (it is configured here), and a PCI bus.
#: disks 2
#: ebs 1
#: memory 1G
#: time 1500
#: services outside
#: cloud-init later
#: firmware EC2
#: package yes
#: soak yes
#: boot
#: boot
#: boot
#: boot blank
#: boot
#: boot
#: boot
#: boot blank
state() { systemctl show -P "$2" "$1"; }
at() { state "$1" "$2"; } # monotonic, in microseconds
user_data='#cloud-config\nmuster: {ephemeral: {expect: 2}, ebs: {data: {volume_id: vol-0123456789abcde00}}}'
next() { # [MEMBER...]: of the services' script at the next boot
    local more
    printf -v more ', %s' "$@"
    [[ $# -gt 0 ]] || more=''
    expect_equal "the services will know" ok "$(host next "{ \"instance\": { \"user-data\": \"$user_data\"${clone:-} }$more }")"
}
outcomes() { host reports >/run/reports.json && query /run/reports.json '" ".join(r["outcome"] for r in it)'; }
reason() { query "$REPORT" 'it.get("reason", {}).get("code", "")'; }

build_image() {
    local hash disks
    read -ra disks <<<"$EPHEMERAL $EBS"
    hash=$(hash_disks "${disks[@]}")
    check "the package is installed" dpkg -i /source/muster.deb
    expect_equal "it is enabled" enabled "$(systemctl is-enabled muster.service)"
    expect_equal "and the timer" enabled "$(systemctl is-enabled muster-deliver.timer)"
    expect_equal "and not the watch" disabled "$(systemctl is-enabled muster-watch.service)"
    expect_equal "installing started nothing" "inactive inactive inactive" \
        "$(systemctl is-active muster.service muster-deliver.timer muster-watch.service | tr '\n' ' ' | sed 's/ $//')"
    expect_equal "and wrote to no disk" "$hash" "$(hash_disks "${disks[@]}")"
    check_not "nor anywhere" test -e /run/muster -o -e /var/lib/muster

    # The image: who is told, and a service that is to run only on a machine that passed.
    # Which volumes there are user-data says: these have no name in Identify by which to find what the mapping lists.
    configure '{ "deadline": "280s", "ebs": {}, "report": { "deadline": "20s" } }'
    cat >/etc/systemd/system/application.service <<'UNIT'
[Unit]
Requires=muster-ready.target
After=muster-ready.target
[Service]
ExecStart=/bin/sh -c 'exec sleep infinity >>/mnt/scratch/held'
[Install]
WantedBy=multi-user.target
UNIT
    cat >/etc/systemd/system/needs-disks.service <<'UNIT'
[Unit]
Requires=muster-storage.target
After=muster-storage.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/mountpoint /mnt/scratch
[Install]
WantedBy=multi-user.target
UNIT
    like_ec2
    echo 'network: {config: disabled}' >/etc/cloud/cloud.cfg.d/99-network.cfg
    systemctl -q enable application.service needs-disks.service
    # As every image builder does.
    cloud-init clean --logs
    : >/etc/machine-id
    next
}

# is_ready: what is true of a boot that went well.
is_ready() {
    expect_equal "the verdict" ready "$(query "$REPORT" 'it["outcome"]')"
    expect_equal "it is ready" "active active" "$(state muster-ready.target ActiveState) $(state muster-storage.target ActiveState)"
    expect_equal "the applications run" "active active" \
        "$(state application.service ActiveState) $(state needs-disks.service ActiveState)"
    check "the scratch volume is mounted, on the host's side" mountpoint /mnt/scratch
    local mounted started
    mounted=$(at mnt-scratch.mount ActiveEnterTimestampMonotonic)
    started=$(at application.service ExecMainStartTimestampMonotonic)
    check "the application was started after the mount ($mounted, $started)" test "$mounted" -lt "$started"
    if [[ -e $WORK/config ]]; then
        expect_equal "the effective configuration is the same" "$(cat "$WORK/config")" "$(muster config)"
    else
        muster config >"$WORK/config"
        cat "$WORK/config"
    fi
}

journalctl -b -u 'muster*' --no-pager -o short-monotonic | tail -n 60
case $BOOT in
1) build_image ;;
2)
    is_ready
    expect_equal "cloud-init has found EC2" aws "$(cloud-id)"
    expect_equal "the endpoint has it" "in-progress ready" "$(outcomes)"
    expect_equal "the unit" "exited success" "$(state muster SubState) $(state muster Result)"
    expect_match "the journal's fields" "^root" "$(journalctl -b -u muster MUSTER_STAGE=root -o cat --output-fields=MUSTER_STAGE)"
    expect_equal "no unit of muster's has failed" "" "$(systemctl list-units --failed --plain --no-legend 'muster*')"
    systemctl list-units --failed --plain --no-legend
    journalctl -b -u cloud-config --no-pager -o cat | tail -n 5
    say "what it costs"
    systemd-analyze --no-pager critical-chain application.service
    systemd-analyze --no-pager blame | head -n 25
    echo kept >/mnt/scratch/kept
    # An agent that is killed.
    rm -f /run/muster/status.json
    systemctl reset-failed
    systemd-run --quiet --wait -p Type=oneshot -p "ExecStopPost=/usr/sbin/muster run --if-died" \
        /bin/sh -c 'kill -9 $$'
    expect_equal "somebody speaks for it" "in-progress ready failed" "$(outcomes)"
    expect_equal "and says what" "internal" "$(reason)"
    next
    ;;
3)
    is_ready
    expect_equal "the endpoint has it" "in-progress ready" "$(outcomes)"
    expect_equal "what was written before is there" kept "$(cat /mnt/scratch/kept)"
    next
    ;;
4)
    is_ready
    check_not "the disks are new" test -e /mnt/scratch/kept
    expect_equal "the endpoint has it" "in-progress ready" "$(outcomes)"
    echo ephemeral1 >"$WORK/missing"
    next
    ;;
5)
    rm "$WORK/missing"
    expect_equal "a disk is missing: the verdict" "failed ephemeral-missing" "$(query "$REPORT" 'it["outcome"]') $(reason)"
    expect_equal "the endpoint has it" "in-progress failed" "$(outcomes)"
    expect_equal "no target is reached, no application runs" "inactive inactive inactive inactive" \
        "$(systemctl show -P ActiveState muster-ready.target muster-storage.target application.service needs-disks.service | grep . | tr '\n' ' ' | sed 's/ $//')"
    expect_equal "the effective configuration is the same" "$(cat "$WORK/config")" "$(muster config)"
    next '"endpoint": [{"refuse": true}]'
    ;;
6)
    is_ready
    expect_equal "the endpoint is down" "" "$(outcomes)"
    expect_equal "the unit has not failed, though nothing is delivered" "success 3" "$(state muster Result) $(state muster ExecMainStatus)"
    check "the application did not wait for the delivery" test \
        "$(at application.service ExecMainStartTimestampMonotonic)" -lt "$(at muster.service ExecMainExitTimestampMonotonic)"
    check "the verdict is kept" test -n "$(ls /run/muster/spool)"
    # cloud-init's own failure.
    mv /usr/bin/cloud-init /usr/bin/cloud-init.real
    printf '#!/bin/sh\nexit 1\n' >/usr/bin/cloud-init
    chmod 755 /usr/bin/cloud-init
    next
    ;;
7)
    mv /usr/bin/cloud-init.real /usr/bin/cloud-init
    expect_equal "cloud-init failed" failed "$(state cloud-init.service ActiveState)"
    check_not "and nothing of another time is taken for user-data" test -e /run/muster/conf.d/50-cloud-init.json
    expect_match "the image's sinks are told all the same" "ready|failed" "$(outcomes)"
    expect_equal "the image's configuration holds" ready "$(query "$REPORT" 'it["outcome"]')"
    clone=', "instance-id": "i-0fedcba9876543210"' next
    ;;
8)
    is_ready
    expect_equal "a clone speaks for itself" i-0fedcba9876543210 "$(query "$REPORT" 'it["instance"]["id"]')"
    expect_equal "and for nobody else" "in-progress ready" "$(outcomes)"
    ;;
esac
[[ $BOOT == 1 ]] || keep /run/muster
