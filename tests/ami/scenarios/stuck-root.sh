# The root stops answering at a random moment of the boot job, as EBS volumes did in 2011: no error, no end. The
# endpoint has `failed / root-stuck` at `io_deadline` after that moment, and the boot job is over, all while the root
# is still stopped. The metadata service and the endpoint are outside; so is who stops the
# root, lets it go on again, and looks what the endpoint has got by then.
#
# Each try begins as a boot does: blank disks, an empty /run/muster, nothing in the page cache. While the root is
# stopped only the shell has something to do, and it is in memory; where it hangs all the same it judges later,
# that is all. A boot job that was over by then or a moment later, and so well, proves nothing: another try.
#: root stoppable
#: services outside
#: disks 2
#: memory 1536M
#: kernel loglevel=3
#: time 600
#: variants tries=1
#: soak tries=10,time=1800
tries=${tries:-2}
io_deadline=${io_deadline:-5}
# patience: for how long the root is stopped, as slow as the machine is by now: all must happen meanwhile.
patience() {
    scaled 7
    lasting=$((io_deadline + scaled))
}
RANDOM=$((SEED % 32768))
muster=/usr/local/sbin/muster

unit() { systemctl show -P "$2" "$1"; }
milliseconds() { # UNIT TIMESTAMP
    echo $(($(unit "$1" "$2Monotonic") / 1000))
}
told() { query /run/told.json "$1"; }
verdicts='[r for r in it["reports"] if r["outcome"] != "in-progress"]'
left_over() { ps -eo pid=,stat=,comm=,wchan= | awk '$2 ~ /^D/ || $3 ~ /^muster/'; }
nothing_left() { [[ -z $(left_over) ]]; }
is_over() { [[ $(unit "$1" SubState) =~ ^(exited|failed)$ ]]; }

# As after a stop and start.
make_new() {
    blank_disks
    rm -rf /run/muster
    sync
    echo 3 >/proc/sys/vm/drop_caches
}

# has_begun UNIT: the boot job proper runs: the agent, its configuration, certificates and all are in memory. A
# root that stops before that is a machine that never speaks.
has_begun() {
    local pid name
    while read -r pid; do
        read -r name <"/proc/$pid/comm"
        [[ $name != muster-boot ]] || return 0
    done <"/sys/fs/cgroup/system.slice/$1.service/cgroup.procs"
    return 1
} 2>/dev/null

# start_boot_job UNIT: as at boot; returns when it has begun.
start_boot_job() {
    systemd-run --quiet --no-block --unit="$1" -p Type=oneshot -p KillMode=process -p RemainAfterExit=yes \
        "$muster" run
    local i
    for ((i = 0; i < 3000; i++)); do
        ! has_begun "$1" || return 0
        pause 0.01
    done
    fail "the boot job begins ($1)"
}

# The letter of the process's state, into $state; without a program.
state_of() {
    state=gone
    read -r state <"/proc/$1/stat"
    state=${state##*) } state=${state%% *}
}

# note_end UNIT: when the unit's process has ended, in the kernel's milliseconds, in /run/UNIT.end. Reaping it and
# saying so is up to PID 1, which may hang on the root itself.
note_end() {
    local pid
    pid=$(unit "$1" MainPID)
    {
        state=alive
        while [[ $state != gone && $state != Z ]]; do
            pause 0.05
            state=gone
            read -r state <"/proc/$pid/stat"
            state=${state##*) } state=${state%% *}
        done
        uptime_ms
        echo "$now" >"/run/$1.end"
    } 2>/dev/null &
}

install -m 755 "$MUSTER" "$muster"
configure "{ \"root\": { \"io_deadline\": \"${io_deadline}s\" }, \"ephemeral\": { \"expect\": 2, \"deadline\": \"180s\" },
             \"ebs\": {} }"

# The harness itself: the root really hangs, and is well again.
never_read=/var/log/dpkg.log # so it is in no cache
sync
host stop-root 0 5 >/run/stopped
{ read -r -N 1 _ <$never_read; } &
reader=$!
pause 2
state_of "$reader"
during=$state
host told >/run/told.json
wait "$reader"
expect_equal "who reads from the stopped root hangs" D "$during"
expect_match "it was stopped for five seconds" '^5...$' "$(told 'it["continued"] - it["stopped"]')"

# How long the boot job of a machine takes that is well.
make_new
start_boot_job muster-well
check "it ends" wait_for is_over muster-well
expect_equal "well: ready and delivered" "exited 0" "$(unit muster-well SubState) $(unit muster-well ExecMainStatus)"
length=$(($(milliseconds muster-well ExecMainExitTimestamp) - $(milliseconds muster-well ExecMainStartTimestamp)))
say "that took $length ms"
keep "$REPORT"
systemctl stop muster-well

counted=0 late=0
while ((counted < tries && late < tries + 3)); do
    # One random moment in each part of the boot job's first nine tenths; half of it where that was too late.
    moment=$((((counted * 32768 + RANDOM) * length * 9 / 10 / tries / 32768) >> late))
    printf -v after '%d.%03d' $((moment / 1000)) $((moment % 1000))
    name=muster-$counted-$late
    make_new
    uptime_ms
    zero=$now
    clock=$(host clock)
    uptime_ms
    zero=$((clock - (zero + now) / 2)) # what the host's clock was when this kernel's was at zero
    start_boot_job "$name"
    note_end "$name"
    patience
    host stop-root "$after" "$lasting" >/run/stopped || break
    host told >/run/told.json || break

    # It goes on.
    what="stopped after $after s"
    say "$what: $(cat /run/told.json)"
    if [[ $(told "[r['at'] < $io_deadline * 1000 for r in $verdicts if r['outcome'] == 'ready'][:1]") == "[true]" ]]; then
        say "$what: that was too late, the boot job was over"
        late=$((late + 1))
        systemctl stop "$name"
        continue
    fi
    late=0 counted=$((counted + 1))
    expect_equal "$what: one verdict, failed, root-stuck, recreate" '[["failed", "root-stuck", true]]' \
        "$(told "[[r['outcome'], r['code'], r['recreate']] for r in $verdicts]")"
    in_time "$what: at the endpoint" "$io_deadline" "$(told "min([r['at'] for r in $verdicts], default=10**6)")"
    stopped=$(told 'it["stopped"]') continued=$(told 'it["continued"]')
    check "$what: the boot job ends" wait_for is_over "$name"
    expect_equal "$what: as one that has reported a failure" "exit-code 1" \
        "$(unit "$name" Result) $(unit "$name" ExecMainStatus)"
    since=$((zero + $(cat "/run/$name.end") - stopped))
    check "$what: while the root was stopped ($since ms after the stop)" \
        test "$since" -gt 0 -a "$since" -lt $((continued - stopped))
    say "$what: for PID 1 it was over $((zero + $(milliseconds "$name" StateChangeTimestamp) - stopped)) ms after the stop"
    check "$what: then nothing hangs, and nothing of muster is left" wait_for nothing_left
    left_over
    systemctl status --no-pager --lines=20 "$name"
    systemctl stop "$name"
    systemctl reset-failed "$name"
done
expect_equal "tries that count" "$tries" "$counted"

# What was stuck is well again, and so is what comes next.
make_new
check_status "run again: ready and delivered" 0 "$muster" run
