# The boot job beside the least that a person could type: `vgcreate; lvcreate; mkfs.xfs -K; mount`, on the
# same blank disks, in the same kernel, in turn. By tests/bench/run, or by hand:
# tests/uml/run tests/bench/typed.sh disks=8 (or tests/ami/run: a whole machine, with systemd and NVMe).
#: disks 4
#: time 900
#: memory 1536M
pairs=${pairs:-5}
read -ra names <<<"$EPHEMERAL"
devices=("${names[@]/#//dev/}")
count=${#devices[@]}
configure '{ "ephemeral": { "expect": '"$count"' } }'
start_simulator --script healthy

# Both begin with blank disks and an idle udev.
begin() {
    vgremove -q --force --yes typed >/dev/null 2>&1
    blank_disks
    rm -rf /run/muster /mnt/typed
    udevadm settle
    start=${EPOCHREALTIME/./}
}

# end: milliseconds since `begin` into $took, and until udev was done too into $settled.
end() {
    took=$(((${EPOCHREALTIME/./} - start) / 1000))
    udevadm settle
    settled=$(((${EPOCHREALTIME/./} - start) / 1000))
}

typed() {
    local stripes=()
    ((count == 1)) || stripes=(--stripes "$count" --stripesize 256k)
    begin
    {
        vgcreate typed "${devices[@]}" &&
            lvcreate --yes --name scratch --extents 100%FREE "${stripes[@]}" typed &&
            mkfs.xfs -q -K /dev/typed/scratch &&
            mkdir -p /mnt/typed &&
            mount /dev/typed/scratch /mnt/typed
    } >/run/typed.out 2>&1 || { fail "typed"; cat /run/typed.out; }
    end
    umount /mnt/typed
}

muster() {
    begin
    "$MUSTER" run >/run/muster.out 2>&1 || { fail "muster run"; cat /run/muster.out; }
    end
    assembly=$(stages plan assembly)
    readings=$(stages metadata)
}

# stages NAME...: how long these took together, milliseconds
stages() {
    query "$REPORT" "round(1000 * sum(t['end'] - t['start'] for t in it['timings'] if t['stage'] in '$*'.split()))"
}

# Each is first as often as second: what the other leaves in caches is no one's gain.
order=(typed muster)
declare -A found
for ((pair = 1; pair <= pairs; pair++)); do
    for who in "${order[@]}"; do
        "$who"
        found[$who]="$took $settled"
    done
    order=("${order[1]}" "${order[0]}")
    echo "PAIR $count ${found[typed]} ${found[muster]} $assembly $readings"
done
"$MUSTER" status
check "measured" true
