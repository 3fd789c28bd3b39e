# The root stops answering while `muster watch` is on guard. The endpoint is told so while it is stopped, the
# service stays up and its watchdog is content, and when the root goes on the endpoint is told that, too.
#: root stoppable
#: services outside
#: disks 1
#: memory 1536M
#: kernel loglevel=3
#: time 900
#: soak yes
io_deadline=5
interval=2
# The stop may come just after a look has begun, whose end is awaited first.
within=$((interval + 2 * io_deadline))
muster=/usr/local/sbin/muster

unit() { systemctl show -P "$2" "$1"; }
told() { query /run/told.json "$1"; }
is_up() { [[ $(unit muster-watch ActiveState) == active ]]; }
nothing_hangs() { ! ps -eo stat= | grep -q '^D'; }

install -m 755 "$MUSTER" "$muster"
configure "{ \"root\": { \"io_deadline\": \"${io_deadline}s\" }, \"ephemeral\": { \"expect\": \"none\" }, \"ebs\": {},
             \"watch\": { \"interval\": \"${interval}s\", \"bad\": 1, \"of\": 1, \"heartbeat\": \"1h\" } }"
systemd-run --quiet --unit=muster-watch -p Type=notify -p WatchdogSec=120 -p TimeoutStartSec=120 "$muster" watch
check "watch is up" wait_for is_up
process=$(unit muster-watch MainPID)
# Its first sign of life, though the next one is an hour away: what a sink needs of the root it has by then.
first_sign() {
    host reports >/run/taken.json
    [[ $(query /run/taken.json '[it[0]["outcome"]]' 2>/dev/null) == '["notice"]' ]]
}
check "a sign of life, soon" wait_for first_sign

has_recovered() {
    host reports >/run/taken.json
    [[ $(query /run/taken.json '[r["outcome"] for r in it if r["outcome"] != "notice"][-2:]') == '["degraded", "recovered"]' ]]
}

for try in 1 2 3; do
    what="stop $try"
    sync
    echo 3 >/proc/sys/vm/drop_caches
    scaled 9
    host stop-root "$try.$((RANDOM % 10))" $((within + scaled)) >/run/stopped
    host told >/run/told.json
    say "$what: $(cat /run/told.json)"
    expect_equal "$what: one report while it was stopped: degraded, root-stuck, no advice to recreate" \
        '[["degraded", "root-stuck", false]]' \
        "$(told '[[r["outcome"], r["code"], r["recreate"]] for r in it["reports"]]')"
    in_time "$what: told" "$within" "$(told "max([r['at'] for r in it['reports']], default=10**6)")"
    check "$what: then nothing hangs" wait_for nothing_hangs
    check "$what: recovered when the root went on" wait_for has_recovered
done
expect_equal "the same process all the time" "$process" "$(unit muster-watch MainPID)"
expect_equal "no restart" 0 "$(unit muster-watch NRestarts)"
systemctl stop muster-watch
expect_equal "it says goodbye and ends well" "success 0" "$(unit muster-watch Result) $(unit muster-watch ExecMainStatus)"
