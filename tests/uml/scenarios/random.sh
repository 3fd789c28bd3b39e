# Machines at random: any content on any disk, any policy, a mapping that lies. No disk is written that is
# not surely ephemeral and permitted: every byte of the others is as before.
#: disks 5
#: ebs 1
#: size 24M
#: modules md-mod raid1
#: variants machines=4
#: soak machines=60,time=1200
#: time 300
#: boot
start_simulator --script healthy
RANDOM=$SEED
say "seed $SEED"
all="$EPHEMERAL $EBS"
one_of() { local words=($1); echo "${words[RANDOM % ${#words[@]}]}"; }

# fill NODE KIND
fill() {
    case $2 in
    blank) ;;
    ext3) mkfs.ext3 -q "$1" ;;
    ext4-file) mkfs.ext4 -q "$1"; debugfs -w -R 'write /etc/hostname kept' "$1" 2>/dev/null ;;
    swap) mkswap -q "$1" ;;
    gpt) printf 'label: gpt\n,\n' | sfdisk -q --no-reread --no-tell-kernel "$1" ;;
    pv) pvcreate -q "$1" ;;
    theirs) vgcreate -q "theirs${1##*/}" "$1" ;;
    other) vgcreate -q --addtag muster --addtag muster.instance=i-0ffff "other${1##*/}" "$1" ;;
    reaching) # over a disk that is not here any more
        truncate -s 24M /run/away.disk
        losetup /dev/loop30 /run/away.disk
        vgcreate -q "reaching${1##*/}" "$1" /dev/loop30
        losetup -d /dev/loop30
        rm /run/away.disk
        ;;
    md) write_md "$1" 1.2 ;;
    data) head -c 100 /dev/urandom | dd of="$1" bs=512 seek=$((RANDOM % 2000)) conv=notrunc ;;
    mounted) mkfs.ext4 -q "$1"; mkdir -p "/srv/${1##*/}"; mount -o ro "$1" "/srv/${1##*/}" ;;
    esac >/dev/null 2>&1
}
# may_be_written KIND: under $policy, of a disk that is surely ephemeral.
may_be_written() {
    case $1 in
    blank | pv) true ;;
    mounted | other | reaching) false ;;
    ext3) [[ $policy != refuse ]] ;;
    *) [[ $policy == wipe ]] ;;
    esac
}

for ((machine = 1; machine <= machines; machine++)); do
    umount /srv/* 2>/dev/null
    mdadm --stop --scan 2>/dev/null
    EPHEMERAL=$all blank_disks
    policy=$(one_of "refuse refuse wipe-preformatted wipe")
    type=$(one_of "d2.2xlarge:6 d2.2xlarge:6 m1.xlarge:4 h1.4xlarge:2 m3.large:1 i3.16xlarge:0 g2.2xlarge:0")
    count=${type#*:} type=${type%:*} number=0
    text='"ami": "sda1", "root": "/dev/sda1"'
    story="$type: " node=0
    declare -A kind=() claims=()
    for name in $all; do
        case $((RANDOM % 2)) in
        0) kind[$name]=blank ;;
        1) kind[$name]=$(one_of "ext3 ext4-file swap gpt pv theirs other reaching md data mounted") ;;
        esac
        fill "/dev/loop$node" "${kind[$name]}"
        node=$((node + 1))
        claims[$name]=
        # Mostly as it should be: the last one is EBS; but anything may be said of anything, or twice; and more may be
        # called ephemeral than the type has.
        for ((i = 0; i <= RANDOM % 8 / 7; i++)); do
            what=$(one_of "ephemeral ephemeral ephemeral ephemeral ebs nothing")
            [[ $what == nothing ]] && continue
            key=$what$node$i
            if [[ $what == ephemeral ]]; then
                key=$what$number
                ((number < count)) || what=beyond
                number=$((number + 1 + RANDOM % 5 / 4))
            fi
            text+=", \"$key\": \"$(one_of "${name/xvd/sd} $name")\""
            claims[$name]+=$what
        done
        story+="$name ${kind[$name]} (${claims[$name]:-nothing}), "
    done
    sync
    udevadm settle --timeout=10
    simulator script "{ \"instance\": { \"instance-type\": \"$type\", \"block-device-mapping\": null } }" >/dev/null
    simulator script "{ \"instance\": { \"block-device-mapping\": { $text } } }" >/dev/null
    configure "{ \"metadata\": { \"absence_span\": \"300ms\" }, \"ebs\": {},
        \"ephemeral\": { \"deadline\": \"2s\", \"on_foreign_data\": \"$policy\",
                         \"volumes\": { \"scratch\": { \"filesystem\": \"ext4\" } } } }"
    declare -A before=()
    node=0
    for name in $all; do before[$name]=$(hash_disks "loop$node"); node=$((node + 1)); done
    "$MUSTER" run >/run/log 2>&1
    status=$?
    sync
    wrong= expected=ready changed=
    node=0
    for name in $all; do
        surely=no
        [[ ${claims[$name]} == ephemeral ]] && surely=yes
        # Twice claimed, once as ephemeral: it may be, and nobody can tell.
        [[ $surely == no && ${claims[$name]} == *ephemeral* ]] && expected=refused
        [[ $surely == yes ]] && ! may_be_written "${kind[$name]}" && expected=refused
        if [[ ${before[$name]} != $(hash_disks "loop$node") ]]; then
            changed+="$name "
            [[ $surely == yes ]] && may_be_written "${kind[$name]}" || wrong+="$name "
        fi
        node=$((node + 1))
    done
    expect_equal "$machine ($policy): $story only what may be written" "" "$wrong"
    [[ $expected == refused ]] && expect_equal "$machine: refused, so nothing at all" "" "$changed"
    expect_equal "$machine: $expected" "$([[ $expected == ready ]] && echo 0 || echo 1)" "$status"
    if [[ $status != 0 && $expected == ready ]]; then cat /run/log; fi
done
stop_simulator
