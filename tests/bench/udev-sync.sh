# What LVM's waiting for udev costs: a volume striped over 24 disks, as muster makes it, against the same with
# udev left out. Run by hand: tests/ami/run tests/bench/udev-sync.sh [rounds=3] [disks=24] [clock=host]
# The times are counts of instructions, side by side on one machine: only their ratios say anything.
#: disks 24
#: size 64M
#: clock instructions
#: processors 1
#: memory 1536M
#: time 3600
rounds=${rounds:-3}
read -ra names <<<"$EPHEMERAL"
devices=("${names[@]/#//dev/}")
list=$(IFS=,; echo "${devices[*]}")

# As in lvm/tool.cpp; then without wiping the new volume's start; then without udev too (LVM refuses to
# wipe then).
common='backup{backup=0 archive=0} log{prefix="" command_names=0} global{use_lvmpolld=0}'
modes=(muster nowipe noudev)
declare -A configuration=([muster]=$common [nowipe]=$common
    [noudev]="$common activation{udev_sync=0 udev_rules=0}")
declare -A wipe=([muster]=y [nowipe]=n [noudev]=n)
steps=(vgcreate lvcreate deactivate activate)

# lvm_as MODE VERB WORD...
lvm_as() {
    local mode=$1 verb=$2
    shift 2
    lvm "$verb" --config "${configuration[$mode]}" --devices "$list" "$@" >/run/lvm.out 2>&1 </dev/null ||
        { fail "$mode: $verb ($?)"; cat /run/lvm.out; }
}

# step MODE STEP
step() {
    case $2 in
    vgcreate) lvm_as "$1" vgcreate --setautoactivation n --addtag muster -- bench "${devices[@]}" ;;
    lvcreate)
        lvm_as "$1" lvcreate --yes --wipesignatures "${wipe[$1]}" --zero "${wipe[$1]}" --name scratch \
            --extents 100%FREE --stripes "${#devices[@]}" --stripesize 256k -- bench
        ;;
    deactivate) lvm_as "$1" vgchange --activate n -- bench ;;
    activate) lvm_as "$1" vgchange --activate y -- bench ;;
    esac
}

# clear_away MODE: whoever made the nodes has to remove them.
clear_away() {
    udevadm settle
    lvm_as "$1" vgremove --force --yes -- bench
    lvm_as muster pvremove --yes "${devices[@]}"
    udevadm settle
}

median() {
    tr ' ' '\n' <<<"$1" | grep . | sort -n |
        awk '{ a[NR] = $1 } END { print (a[int((NR + 1) / 2)] + a[int((NR + 2) / 2)]) / 2 }'
}

# What there is of the volume.
look() {
    local number
    printf '  %-14s' "$1"
    printf '/dev/mapper: %s; ' "$(stat -c %F /dev/mapper/bench-scratch 2>&1 | sed 's/.*: //')"
    printf '/dev/bench: %s; ' "$(stat -L -c %F /dev/bench/scratch 2>&1 | sed 's/.*: //')"
    printf 'links in /dev/disk: %s; ' "$(find /dev/disk -lname '*dm-*' | wc -l)"
    printf 'unit: %s; ' "$(systemctl show -P SubState 'dev-mapper-bench\x2dscratch.device')"
    number=$(dmsetup info -c --noheadings --separator : -o major,minor bench-scratch 2>/dev/null)
    printf 'udev: %s\n' "$(grep -oE '(DM_NAME|DM_UDEV_[A-Z_0-9]*|SYSTEMD_READY|DM_ACTIVATION)=.*' \
        "/run/udev/data/b$number" 2>&1 | tr '\n' ' ')"
}

say "${#devices[@]} disks, $rounds rounds, $(nproc) processors, LVM $(lvm version | awk '/LVM version/ { print $3 }')"
declare -A took
for ((round = 1; round <= rounds; round++)); do
    for mode in "${modes[@]}"; do
        line='' total=0
        for step in "${steps[@]}"; do
            begin=${EPOCHREALTIME/./}
            step "$mode" "$step"
            ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
            took[$mode.$step]+="$ms "
            total=$((total + ms))
            line+=" $step $ms"
            # Back to back, as muster does it: udev may still be busy with the step before.
        done
        begin=${EPOCHREALTIME/./}
        udevadm settle
        took[$mode.all]+="$total "
        echo "round $round, $mode:$line, all $total ms; then udev was busy for $(((${EPOCHREALTIME/./} - begin) / 1000)) ms more"
        clear_away "$mode"
    done
    modes=("${modes[@]:1}" "${modes[0]}")
done
say "medians in ms, and each against muster's own"
for step in "${steps[@]}" all; do
    own=$(median "${took[muster.$step]}")
    printf '%-10s' "$step"
    for mode in muster nowipe noudev; do
        now=$(median "${took[$mode.$step]}")
        printf '  %s %6.0f (%s)' "$mode" "$now" "$(awk "BEGIN { printf \"%.2f\", $now / $own }")"
    done
    echo
done

say "what there is of the volume, and who opens the disks meanwhile"
trace=/sys/kernel/tracing
# shellcheck disable=SC2016  # the kernel's
echo 'p:opened do_sys_openat2 name=+0($arg2):ustring' >"$trace/kprobe_events"
echo 'name ~ "*/dev/nvme*" || name ~ "*/dev/dm-*" || name ~ "*/dev/mapper*"' >"$trace/events/kprobes/opened/filter"
echo 8192 >"$trace/buffer_size_kb"
for mode in muster noudev; do
    echo "$mode"
    echo >"$trace/trace"
    echo 1 >"$trace/events/kprobes/opened/enable"
    udevadm monitor --kernel --udev --subsystem-match=block >/run/events 2>&1 &
    monitor=$!
    sleep 2
    for step in "${steps[@]}"; do
        step "$mode" "$step"
        look "$step"
        udevadm settle
        look "  settled"
    done
    echo 0 >"$trace/events/kprobes/opened/enable"
    kill "$monitor"
    echo "  events: $(awk '/^(KERNEL|UDEV) *\[/ { n = split($0, word, /[][ ]+/); device = word[4]; sub(/.*\//, "", device); gsub(/[0-9].*/, "", device); print word[1], word[3], device }' /run/events |
        sort | uniq -c | tr -s ' \n' ' ')"
    echo "  opened by, how often:"
    sed -n 's/^ *\(.*\)-[0-9]* *\[.*name="\([^"]*\)".*/\1 \2/p' "$trace/trace" |
        awk '{ sub(/[0-9].*/, "", $2); count[$1 " " $2]++ } END { for (key in count) print "   ", count[key], key }' | sort -rn
    clear_away "$mode"
    look "removed"
done

say "made without udev, removed by tools that leave the nodes to it, as a person would; then made anew"
step noudev vgcreate
step noudev lvcreate
clear_away muster
look "removed"
ls -l /dev/mapper /dev/bench 2>&1
lvm vgcreate --config "$common" --devices "$list" -- bench "${devices[@]}" 2>&1 </dev/null
echo "  vgcreate: status $?"
pass "measured"
