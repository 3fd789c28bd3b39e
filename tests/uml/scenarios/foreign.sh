# A disk that carries anything is refused and left alone, to the byte; the report says which disk, and
# what was found on it.
#: disks 10
#: size 32M
#: modules md-mod raid1 dm-crypt
#: time 240
#: boot
configure '{ "ephemeral": { "deadline": "2s" } }'

# What each disk carries; the last one is blank.
declare -A made=(
    [xvdb]=ext4 [xvdc]=xfs [xvdd]=swap [xvde]=gpt [xvdf]=dos [xvdg]=crypto_LUKS [xvdh]=LVM2_member
    [xvdi]=linux_raid_member [xvdj]=data
)
mkfs.ext4 -q -L precious /dev/xvdb
mkfs.xfs -q --unsupported /dev/xvdc
mkswap -q /dev/xvdd
printf 'label: gpt\n,\n' | sfdisk -q --no-reread --no-tell-kernel /dev/xvde
printf 'label: dos\n,\n' | sfdisk -q --no-reread --no-tell-kernel /dev/xvdf
printf secret | cryptsetup -q luksFormat --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --type luks1 /dev/xvdg -
vgcreate -q theirs /dev/loop6 </dev/null
write_md /dev/loop7 1.2
printf 'no signature, but somebody wrote it' | dd of=/dev/xvdj bs=512 seek=7 conv=notrunc status=none
for disk in "${!made[@]}"; do
    [[ ${made[$disk]} == data ]] ||
        expect_match "$disk carries ${made[$disk]}" "${made[$disk]}" "$(blkid -p "/dev/$disk")"
done
sync
before=$(hash_disks $EPHEMERAL)
keep_hash() { expect_equal "$1: every byte is as before" "$before" "$(hash_disks $EPHEMERAL)"; }

start_simulator --script healthy
check_status "all of them at once: failed and delivered" 1 "$MUSTER" run
expect_equal "the reason" ephemeral-foreign-data "$(query "$REPORTS" 'it["json"]["reason"]["code"]')"
expect_equal "recreate is not advised: the data would be lost" false "$(query "$REPORTS" 'it["json"]["recreate"]')"
node=0
for disk in $EPHEMERAL; do
    kind=${made[$disk]:-}
    finding=$(query "$REPORT" '" ".join(f["message"] for f in it["findings"] if f["subject"] == "loop'$node'")')
    case $kind in
    "") expect_equal "nothing is said against the blank disk" "" "$finding" ;;
    LVM2_member) expect_match "$disk: the report names the group" "/dev/loop$node .*theirs" "$finding" ;;
    data) expect_match "$disk: the report says so" "/dev/loop$node carries data without a signature" "$finding" ;;
    *) expect_match "$disk: the report names $kind" "/dev/loop$node .*$kind" "$finding" ;;
    esac
    node=$((node + 1))
done
keep "$REPORT"
keep_hash "all at once"

# Each of them beside one blank disk: a single one is enough to refuse all.
for disk in "${!made[@]}"; do
    simulator script "{ \"instance\": { \"block-device-mapping\": null } }" >/dev/null
    simulator script "{ \"instance\": { \"block-device-mapping\": { \"ami\": \"sda1\", \"root\": \"/dev/sda1\",
        \"ephemeral0\": \"${disk/xvd/sd}\", \"ephemeral1\": \"sdk\" } } }" >/dev/null
    check_status "${made[$disk]}: failed and delivered" 1 "$MUSTER" run
    expect_equal "${made[$disk]}: the reason" ephemeral-foreign-data "$(query "$REPORT" 'it["reason"]["code"]')"
    check_status "${made[$disk]}: plan refuses too" 1 "$MUSTER" plan
done
keep_hash "one by one"
