# Mount points as machines have them: behind links, under autofs, on filesystems that hang, with files in them, and
# where another program was quicker. The volume is mounted at the very folder that was meant, or nowhere.
#: disks 1
#: ebs 1
#: size 24M
#: modules autofs4
#: time 400
#: boot
DEADLINE=3s
FILESYSTEM=ext4
# shellcheck disable=SC1091
. "$SOURCE/tests/uml/starts.sh"

# point NAME MOUNT MORE: this mount point; the disk stays as it is.
point() {
    ROW=$1
    configure "{ \"ephemeral\": { \"expect\": 1, \"deadline\": \"3s\", \"volumes\": { \"scratch\": {
        \"filesystem\": \"ext4\", \"layout\": \"linear\", \"mount\": \"$2\" ${3:-} } } } }"
}
mounts() { awk '$1 == "/dev/mapper/muster-scratch" || $1 ~ "^/dev/dm-" { print $2 }' /proc/mounts | xargs; }
ready_at() { # ready_at WHERE
    check_status "$ROW: ready" 0 "$MUSTER" run >/run/log 2>&1 || tail -n 20 /run/log
    expect_equal "$ROW: mounted" "$1" "$(mounts)"
    check_status "$ROW: ready again" 0 "$MUSTER" run >/run/log 2>&1 || tail -n 20 /run/log
    expect_equal "$ROW: mounted once" "$1" "$(mounts)"
    expect_match "$ROW: nothing to do" "nothing to do" "$("$MUSTER" plan 2>&1)"
}
refuses() { # refuses REGEX: nothing is mounted
    check_status "$ROW: failed" 1 "$MUSTER" run >/run/log 2>&1
    expect_equal "$ROW: the reason" mount-failed "$(query "$REPORT" 'it["reason"]["code"]')"
    expect_equal "$ROW: recreate" false "$(query "$REPORT" 'it["recreate"]')"
    expect_match "$ROW: what it says" "$1" "$(because)"
    expect_equal "$ROW: mounted nowhere" "" "$(mounts)"
}
gone() { umount "$@"; }

point "a parent is a link of root's" /link/scratch
mkdir -p /var/link
ln -s var/link /link
ready_at /var/link/scratch
gone /link/scratch

point "the mount point itself is a link of root's" /link/other
mkdir -p /srv/other
ln -s ../../srv/other /var/link/other
ready_at /srv/other
gone /srv/other

point "a user's link" /srv/user/link/scratch
mkdir -p /srv/user /opt/precious
chown 1000:1000 /srv/user
ln -s /opt/precious /srv/user/link
chown -h 1000:1000 /srv/user/link
refuses "/srv/user/link is a link .*user 1000"
check_not "$ROW: nothing was made behind it" test -e /opt/precious/scratch
point "root's link in a folder that is a user's" /srv/user/link/scratch
chown -h 0:0 /srv/user/link
refuses "/srv/user/link is a link"
point "a user's folder without links" /srv/user/home/scratch
ready_at /srv/user/home/scratch
gone /srv/user/home/scratch

point "hidden by another mount" /srv/hidden/scratch
ready_at /srv/hidden/scratch
mount -t tmpfs none /srv/hidden
check_status "$ROW: mounted where it can be seen" 0 "$MUSTER" run >/run/log 2>&1 || tail -n 20 /run/log
check "$ROW: it is at the mount point" mountpoint -q /srv/hidden/scratch
gone /srv/hidden/scratch
gone /srv/hidden
gone /srv/hidden/scratch

point "what is mounted can't get its mode" /srv/immutable
mount /dev/mapper/muster-scratch /srv
chmod 0700 /srv
chattr +i /srv
umount /srv
refuses "can't set the mode of /srv/immutable.*unmounted again"
mount /dev/mapper/muster-scratch /srv
chattr -i /srv
umount /srv

point "not empty" /srv/full
mkdir -p /srv/full
echo precious >/srv/full/file
check "$ROW: plan" sh -c "'$MUSTER' plan >/run/plan 2>&1"
expect_match "$ROW: plan says so" "/srv/full is not empty.*file" "$(cat /run/plan)"
check_status "$ROW: ready" 0 "$MUSTER" run >/run/log 2>&1
expect_equal "$ROW: mounted" /srv/full "$(mounts)"
expect_match "$ROW: the report says so" "/srv/full is not empty.*file" "$(because)"
check_status "$ROW: ready again" 0 "$MUSTER" run >/run/log 2>&1
expect_equal "$ROW: nothing is hidden anew" "" "$(because)"
gone /srv/full
expect_equal "$ROW: the file is there" precious "$(cat /srv/full/file)"

point "another program mounts it in between" /srv/raced
mkdir -p /srv/raced
vgchange -q -an muster
mv /usr/sbin/lvm /usr/sbin/lvm.real
cat >/usr/sbin/lvm <<'LVM'
#!/bin/bash
(exec -a lvm /usr/sbin/lvm.real "$@") || exit
[[ $1 != vgchange ]] || mount /dev/mapper/muster-scratch /srv/raced
LVM
chmod 755 /usr/sbin/lvm
ready_at /srv/raced
mv /usr/sbin/lvm.real /usr/sbin/lvm
gone /srv/raced

point "an automount waits there" /srv/auto
mkdir -p /srv/auto
python3 - <<'AUTOFS'
import ctypes, os
read, write = os.pipe()
os.set_inheritable(write, True)
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"systemd-1", b"/srv/auto", b"autofs", 0, b"fd=%d,pgrp=1,minproto=5,maxproto=5,direct" % write):
    raise OSError(ctypes.get_errno(), "mount autofs")
if not os.fork():  # whoever touches it waits for this one
    os.close(0), os.close(1), os.close(2)
    open("/run/autofs.pid", "w").write(str(os.getpid()))
    import time
    time.sleep(1e6)
AUTOFS
wait_for test -s /run/autofs.pid
check "$ROW: it is mounted" grep -q "/srv/auto.*autofs" /proc/self/mountinfo
ready_at /srv/auto
gone /srv/auto

point "it hangs" /srv/hung/folder/scratch
dmsetup create hung --table "0 $(blockdev --getsz /dev/loop1) linear /dev/loop1 0"
mkfs.ext4 -q /dev/mapper/hung
mkdir -p /srv/hung
mount /dev/mapper/hung /srv/hung
mkdir -p /srv/hung/folder/scratch
umount /srv/hung
mount /dev/mapper/hung /srv/hung
dmsetup suspend --nolockfs hung
refuses "/srv/hung/folder/scratch.*"
dmsetup resume hung
check "$ROW: the helpers are gone when it comes back" wait_for bash -c '! ps -eo comm= | grep -q muster'
ready_at /srv/hung/folder/scratch
gone /srv/hung/folder/scratch
gone /srv/hung
dmsetup remove hung
stop_simulator
check "the end" true
