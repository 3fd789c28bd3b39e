# What a first run costs where there is more to do, beside the least by hand. By tests/bench/growth.py:
# tests/uml/run tests/bench/growth.sh disks=8, or ebs=8, or checks=8
#: disks 0
#: time 900
#: memory 2G
read -ra disks <<<"$EPHEMERAL"
read -ra volumes <<<"$EBS"
checks=${checks:-0}
count=${#disks[@]}

list=""
for ((i = 1; i <= checks; i++)); do list+="${list:+, }\"check$i\": { \"command\": [\"/bin/true\"] }"; done
expect=$count
((count > 0)) || expect='"none"'
configure "{ \"ephemeral\": { \"expect\": $expect }, \"checks\": { $list } }"
start_simulator --script healthy

by_hand() {
    local device stripes=()
    if ((count > 0)); then
        ((count == 1)) || stripes=(--stripes "$count" --stripesize 256k)
        vgcreate typed "${disks[@]/#//dev/}"
        lvcreate --yes --name scratch --extents 100%FREE "${stripes[@]}" typed
        mkfs.xfs -q -K /dev/typed/scratch
        mkdir -p /mnt/typed
        mount /dev/typed/scratch /mnt/typed
    fi
    for device in "${volumes[@]}"; do
        dd if="/dev/$device" of=/dev/null bs=4096 count=1 iflag=direct status=none
    done
    for ((i = 1; i <= checks; i++)); do /bin/true; done
}

# The job's time, and the most memory that the agent had (it has its helpers reaped by another).
cat >/run/job.py <<'PYTHON'
import os, subprocess, sys, time
began = time.monotonic()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(round(1000 * (time.monotonic() - began)), usage.ru_maxrss, status)
PYTHON

for ((round = 1; round <= ${rounds:-3}; round++)); do
    vgremove -q --force --yes typed >/dev/null 2>&1
    blank_disks
    rm -rf /run/muster
    udevadm settle
    start=${EPOCHREALTIME/./}
    by_hand >/run/by_hand.out 2>&1 || { fail "by hand"; cat /run/by_hand.out; }
    hand=$(((${EPOCHREALTIME/./} - start) / 1000))
    udevadm settle
    umount /mnt/typed 2>/dev/null
    vgremove -q --force --yes typed >/dev/null 2>&1
    blank_disks
    udevadm settle
    /usr/bin/python3 /run/job.py "$MUSTER" run >/run/job.out
    read -r took memory status </run/job.out
    expect_equal "muster run" 0 "$status"
    echo "GROWTH $hand $took $(query "$REPORT" 'it["metadata"]["requests"]') $memory"
done
