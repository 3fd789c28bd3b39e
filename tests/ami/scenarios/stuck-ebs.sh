# An EBS volume that is stuck, under systemd: the boot job ends and so does its unit, while the helper that reads
# from the volume hangs in D state, where no kill ends it; `muster run` works again beside it; and when the volume
# goes on nothing is left over.
#: disks 1
#: ebs 1
#: time 600
#: soak yes
unit() { systemctl show -P "$2" "$1"; }
is_over() { [[ $(unit "$1" SubState) =~ ^(exited|failed)$ ]]; }
hanging() { ps -eo stat=,comm= | awk '$1 ~ /^D/ && $2 ~ /^muster/' | wc -l; }
nothing_left() { ! ps -eo comm= | grep -q '^muster'; }
reason() { query "$REPORT" '(it.get("reason") or {}).get("code", it["outcome"])'; }

# The volume is a loop device called sdp, over device-mapper, over the EBS volume.
modprobe loop
dmsetup create sick --table "0 $(blockdev --getsz "/dev/$EBS") linear /dev/$EBS 0"
volume=$(losetup --find --show --direct-io=on /dev/mapper/sick)
mknod /dev/xvdp b "$((16#$(stat -c %t "$volume")))" "$((16#$(stat -c %T "$volume")))"
udevadm settle
start_simulator --script nvme
configure '{ "root": { "io_deadline": "5s" }, "ebs": { "data": { "device": "/dev/sdp" } } }'

dmsetup suspend --nolockfs sick
systemd-run --quiet --no-block --unit=stuck -p Type=oneshot -p KillMode=process -p RemainAfterExit=yes \
    "$MUSTER" run
check "the unit is over" wait_for is_over stuck
expect_equal "as one that has reported a failure" "exit-code 1" "$(unit stuck Result) $(unit stuck ExecMainStatus)"
expect_equal "the reason" ebs-stuck "$(reason)"
took=$((($(unit stuck StateChangeTimestampMonotonic) - $(unit stuck ExecMainExitTimestampMonotonic)) / 1000))
in_time "systemd saw it at the agent's exit" 0 "$took"
left=$(hanging)
check "the $left of a kind that hang on: that reads, that looks for signatures, for a label" test "$left" -ge 1 -a "$left" -le 3

check_status "run again beside it: the same" 1 "$MUSTER" run
expect_equal "the reason again" ebs-stuck "$(reason)"
check "no more than that for each run" test "$(hanging)" -le $((2 * left))
systemctl stop stuck
systemctl reset-failed stuck

dmsetup resume sick
check "the volume goes on: nothing is left over" wait_for nothing_left
check_status "and all is well" 0 "$MUSTER" run
