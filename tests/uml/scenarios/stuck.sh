# A volume that neither works nor fails: its readers hang in D state, and no signal ends them. The agent says
# so in time, ends, and leaves nothing behind when the volume comes back.
#: disks 0
#: jobs 1
#: ebs 2
#: boot
# An EBS volume (loop2, called sdp) that can be made stuck, and a filesystem that can.
dmsetup create ebs --table "0 $(blockdev --getsz /dev/loop0) linear /dev/loop0 0"
dmsetup create files --table "0 $(blockdev --getsz /dev/loop1) linear /dev/loop1 0"
losetup --direct-io=on /dev/loop2 /dev/mapper/ebs # or its page cache would answer for the volume
mknod /dev/xvdp b 7 2
mkfs.ext4 -q /dev/mapper/files
mkdir -p /srv/reports
mount /dev/mapper/files /srv/reports
udevadm settle
start_simulator --script healthy

ours='{ "ephemeral": { "expect": "none" }, "root": { "io_deadline": "3s" }, "ebs": { "data": { "device": "/dev/sdp" } } }'
took() { query "$REPORT" 'round(1000 * max(t["end"] or 0 for t in it["timings"]))'; }

configure "$ours"
check_status "the volume is well: ready" 0 "$MUSTER" run

dmsetup suspend --nolockfs ebs
check_status "stuck: failed and delivered" 1 "$MUSTER" run
expect_equal "the reason" ebs-stuck "$(query "$REPORTS" 'it["json"]["reason"]["code"]')"
expect_equal "a new instance is advised" true "$(query "$REPORTS" 'it["json"]["recreate"]')"
in_time "known at the deadline" 3 "$(took)"
check_status "again, while the first helper still hangs: the same" 1 "$MUSTER" run
expect_match "who hangs" "D" "$(ps -eo stat=,comm= | grep muster)"
dmsetup resume ebs
check "the helpers are gone when it comes back" wait_for bash -c '! ps -eo comm= | grep -q muster'
check_status "and the volume is well again" 0 "$MUSTER" run

# A file sink on a stuck disk delays nobody: the webhook has the verdict, and the run ends.
configure "$ours" '{ "report": { "deadline": "5s", "to": { "kept": { "type": "file", "path": "/srv/reports/muster.json" } } } }'
check_status "both sinks: ready" 0 "$MUSTER" run
check "the file is there" test -s /srv/reports/muster.json
dmsetup suspend --nolockfs files
milliseconds
began=$milliseconds
check_status "one sink is stuck: ready, delivered to the one that is required" 0 "$MUSTER" run
milliseconds
in_time "at the deadline of the reports" 5 $((milliseconds - began))
expect_equal "the endpoint has it" ready "$(query "$REPORTS" 'it["json"]["outcome"]')"
expect_equal "the other one's is in the spool" 1 "$(find /run/muster/spool -type f | wc -l)"
dmsetup resume files
check_status "deliver: when the disk is back" 0 "$MUSTER" deliver
check "nobody is left" wait_for bash -c '! ps -eo comm= | grep -q muster'
