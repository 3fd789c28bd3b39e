# What a boot of a machine that is assembled already costs, beside its first one: the same machine, in one
# run. Run by hand: tests/uml/run tests/bench/rerun.sh disks=24
#: disks 4
#: time 300
#: boot
configure '{ "ephemeral": { "expect": '"$(wc -w <<<"$EPHEMERAL")"' } }'
start_simulator --script healthy

# measure WHAT: the seconds of the disks' stages, and how often each tool was run
measure() {
    strace -f -qq -e trace=execve -o /run/strace "$MUSTER" run >/dev/null 2>&1 || fail "$1"
    printf '%-28s lvm %s, mkfs %s times\n' "$1" \
        "$(grep -c 'execve("/[a-z/]*/lvm".* = 0' /run/strace)" "$(grep -c 'execve("/[a-z/]*/mkfs.* = 0' /run/strace)"
}
seconds() { # of plan and assembly; what udev does of its own afterwards is not in it
    udevadm settle
    "$MUSTER" run >/dev/null 2>&1 || fail "$1"
    query "$REPORT" 'round(sum(t["end"] - t["start"] for t in it["timings"] if t["stage"] in ("plan", "assembly")), 2)'
}
first=$(seconds "first run")
again=$(seconds "again")
umount /mnt/scratch
vgchange -q -an muster
reboot=$(seconds "as after a reboot")
printf 'disks %s: first %s s, as after a reboot %s s (%s of the first), again %s s (%s)\n' \
    "$(wc -w <<<"$EPHEMERAL")" "$first" "$reboot" "$(awk "BEGIN { printf \"%.2f\", $reboot / $first }")" \
    "$again" "$(awk "BEGIN { printf \"%.2f\", $again / $first }")"
measure "again:"
blank_disks
measure "first:"
check "measured" true
