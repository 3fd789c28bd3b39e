# More functions for scenarios on a whole machine, beside those of ../uml/lib.sh; see README.md.
# shellcheck shell=bash

# serial_of NAME: "ephemeral3" and "ebs0" as EC2 would number them, into $serial.
serial_of() {
    case $1 in
    ephemeral*) printf -v serial 'AWS0123456789ABCDE%02d' "${1#ephemeral}" ;;
    ebs*) printf -v serial 'vol0123456789abcde%02d' "${1#ebs}" ;;
    esac
}

# EPHEMERAL and EBS: what the kernel calls them, in the order of their serials.
name_disks() {
    local folder hidden found number serial
    declare -A disks
    for folder in /sys/block/nvme*; do
        hidden=0
        [[ ! -e $folder/hidden ]] || read -r hidden <"$folder/hidden"
        read -r found <"$folder/device/serial"
        [[ $hidden == 1 ]] || disks[$found]=${folder##*/}
    done
    EPHEMERAL='' EBS=''
    for ((number = 0; number < 100; number++)); do
        serial_of "ephemeral$number"
        EPHEMERAL+="${disks[$serial]:+${disks[$serial]} }"
        serial_of "ebs$number"
        EBS+="${disks[$serial]:+${disks[$serial]} }"
    done
    EPHEMERAL=${EPHEMERAL% } EBS=${EBS% }
    export EPHEMERAL EBS
}

# connect NAME: what `nvme connect` would write; a slow machine must not take a slow answer for none.
connect() {
    echo "transport=tcp,traddr=127.0.0.1,trsvcid=4420,nqn=$1,nr_io_queues=1,keep_alive_tmo=120" >/dev/nvme-fabrics
}

# disconnect NAME: the disk is detached.
disconnect() {
    local folder found=''
    for folder in /sys/class/nvme/*; do
        read -r found <"$folder/subsysnqn" || continue
        [[ $found != "$1" ]] || echo 1 >"$folder/delete_controller"
    done
}

# pause SECONDS: sleep, without a program.
pause() {
    [[ -n ${PAUSE_PIPE:-} ]] || exec {PAUSE_PIPE}<> <(:)
    read -r -t "$1" -u "$PAUSE_PIPE" || :
}

# uptime_ms: milliseconds of the kernel's clock, into $now.
uptime_ms() {
    local text rest
    read -r text rest </proc/uptime
    now=$((10#${text/./} * 10))
}

# like_ec2: from the next boot on the machine finds network and disks by itself, before cloud-init and muster.
like_ec2() {
    cat >/etc/systemd/network/10-eth0.network <<'UNIT'
[Match]
Name=eth0
[Network]
Address=169.254.169.15/24
UNIT
    cat >/etc/systemd/system/disks.service <<'UNIT'
[Unit]
RequiresMountsFor=/source
Before=cloud-init.service muster.service
Wants=sys-kernel-config.mount
After=systemd-remount-fs.service systemd-udev-trigger.service sys-kernel-config.mount
DefaultDependencies=no
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/bash /source/tests/ami/init disks
[Install]
WantedBy=multi-user.target
UNIT
    rm -f /etc/systemd/system/systemd-networkd-wait-online.service
    systemctl daemon-reload
    systemctl -q enable disks.service systemd-networkd.service systemd-networkd-wait-online.service
}
