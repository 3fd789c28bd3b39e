#include <algorithm>
#include <filesystem>
#include <map>

#include "agent/sys/files.h"
#include "lvm/summary.h"
#include "tests/catch.h"

using namespace muster;
using lvm::summary;

namespace {

/// What real programs said, by the name of the fixture, and what is told of it.
const std::map<std::string, std::string> table = {
    {"blkdiscard-beyond", "blkdiscard: /dev/loop0: offset is greater than device size"},
    {"blkdiscard-busy", "blkdiscard: cannot open /dev/loop0: Device or resource busy"},
    {"blkdiscard-no-device", "blkdiscard: cannot open /dev/nowhere: No such file or directory"},
    {"blockdev-refused", "blockdev: ioctl error on BLKRRPART: Invalid argument"},
    {"fullreport-config", "Parse error at byte 15 (line 1): expected a value; Failed to set "
                          "overridden configuration entries"},
    {"fullreport-locked", "/run/lock/lvm/V_muster: flock failed: Resource temporarily unavailable; "
                          "Can't get lock for muster"},
    {"fullreport-no-option",
     "fullreport: unrecognized option '--nosuchoption'; Error during parsing of command line"},
    {"lvchange-locked", "/run/lock/lvm/V_muster: flock failed: Resource temporarily unavailable; "
                        "Can't get lock for muster"},
    {"lvchange-no-volume", "Failed to find logical volume \"muster/other\""},
    {"lvchange-read-only",
     "Error writing device /dev/loop0 at 7168 length 1536; Failed to write metadata to /dev/loop0; "
     "Failed to write VG muster; WARNING: Failed to write an MDA of VG muster"},
    {"lvcreate-damaged",
     "Volume group \"muster\" not found; WARNING: Checksum error on /dev/loop0 at offset 4608"},
    {"lvcreate-exported", "Volume group muster is exported"},
    {"lvcreate-full", "Calculated size of logical volume is 0 extents. Needs to be larger"},
    {"lvcreate-io-error-data", "Failed to initialize logical volume muster/scratch at position 0 "
                               "and size 4096; Aborting. Failed to wipe start of new LV"},
    {"lvcreate-io-error", "Volume group \"muster\" not found"},
    {"lvcreate-locked", "/run/lock/lvm/V_muster: flock failed: Resource temporarily unavailable; "
                        "Can't get lock for muster"},
    {"lvcreate-missing", "Cannot change VG muster while PVs are missing; WARNING: Couldn't find "
                         "device with uuid CbRNlE-fKCC-yjN0-DVez-jI2p-JYF3-dJEq7K"},
    {"lvcreate-name-taken", "Logical Volume \"scratch\" already exists in volume group \"muster\""},
    {"lvcreate-no-dm",
     "/dev/mapper/control: open failed: No such device; Failure to communicate with kernel "
     "device-mapper driver; Check that device-mapper is available in the kernel"},
    {"lvcreate-no-extent", "--extents may not be zero"},
    {"lvcreate-no-group", "Volume group \"muster\" not found"},
    {"lvcreate-node-taken",
     "device-mapper: create ioctl on muster-scratch "
     "LVM-j9V5XKpaOT8HxxZgBC5uY3whNMwPp5bIeUnBps3HF8k1JHcXObGXy525BD7pNrYw failed: Device or "
     "resource busy; Failed to activate new LV muster/scratch"},
    {"lvcreate-one-damaged", "Volume group \"muster\" has insufficient free space (14 extents): "
                             "1000 required; WARNING: Checksum error on /dev/loop1 at offset 4608"},
    {"lvcreate-read-only", "Error writing device /dev/loop0 at 5632 length 1536; Failed to write "
                           "metadata to /dev/loop0; Failed to write VG muster"},
    {"lvcreate-stripes", "Number of stripes (3) must not exceed number of physical volumes (1)"},
    {"lvcreate-too-large",
     "Volume group \"muster\" has insufficient free space (7 extents): 256 required"},
    {"lvremove-mounted", "Logical volume muster/scratch contains a filesystem in use"},
    {"lvremove-no-volume", "Failed to find logical volume \"muster/other\""},
    {"mkfs.ext4-mounted",
     "/dev/mapper/muster-scratch is mounted; will not make a filesystem here!"},
    {"mkfs.ext4-no-device", "The file /dev/dm-77 does not exist and no size was specified"},
    {"mkfs.ext4-usage", "mkfs.ext4: invalid option -- '-'"},
    {"mkfs.xfs-filesystem",
     "mkfs.xfs: /dev/mapper/muster-scratch appears to contain an existing filesystem (ext4)"},
    {"mkfs.xfs-mounted", "mkfs.xfs: /dev/mapper/muster-scratch contains a mounted filesystem"},
    {"mkfs.xfs-no-device",
     "Error accessing specified device /dev/dm-77: No such file or directory"},
    {"mkfs.xfs-option", "agsize (7175 blocks) too big, data area is 7168 blocks"},
    {"mkfs.xfs-small", "Filesystem must be larger than 300MB"},
    {"mkfs.xfs-usage", "mkfs.xfs: unrecognized option '--no-such-option'; unknown option -?"},
    {"vgchange-damaged",
     "Volume group \"muster\" not found; WARNING: Checksum error on /dev/loop0 at offset 9216"},
    {"vgchange-exported", "Volume group muster is exported"},
    {"vgchange-locked", "/run/lock/lvm/V_muster: flock failed: Resource temporarily unavailable; "
                        "Can't get lock for muster"},
    {"vgchange-missing",
     "Refusing activation of partial LV muster/scratch.  Use '--activationmode partial' to "
     "override; WARNING: Couldn't find device with uuid MOnuwq-Cvho-F9Tz-m2L0-CTsP-RtuQ-t3T0WV"},
    {"vgchange-no-group", "Volume group \"muster\" not found"},
    {"vgchange-node-taken", "device-mapper: create ioctl on muster-scratch "
                            "LVM-CpW19keBUZxfQfOZptalZH4HM0S3FQVE801SXvRQQfBY0Hf5x0Li47Eh21qLc3Yy "
                            "failed: Device or resource busy"},
    {"vgcreate-dos", "WARNING: dos signature detected on /dev/loop0 at offset 510. Wipe it? [y/n]: "
                     "[n]; Aborted wiping of dos; 1 existing signature left on the device"},
    {"vgcreate-folder", "/dev/muster: already exists in filesystem"},
    {"vgcreate-gpt", "WARNING: gpt signature detected on /dev/loop0 at offset 512. Wipe it? [y/n]: "
                     "[n]; Aborted wiping of gpt; 1 existing signature left on the device"},
    {"vgcreate-in-use-label",
     "PV /dev/loop0 is used by a VG but its metadata is missing; Can't initialize PV '/dev/loop0' "
     "without -ff; /dev/loop0: physical volume not initialized"},
    {"vgcreate-io-error", "Cannot use /dev/mapper/bad: device is not in a usable state; Command "
                          "requires all devices to be found"},
    {"vgcreate-locked-name", "/run/lock/lvm/V_muster: flock failed: Resource temporarily "
                             "unavailable; Can't get lock for muster"},
    {"vgcreate-locked", "/run/lock/lvm/P_global: flock failed: Resource temporarily unavailable"},
    {"vgcreate-md",
     "Cannot use /dev/loop0: device is an md component; Command requires all devices to be found"},
    {"vgcreate-member",
     "Physical volume '/dev/loop0' is already in volume group 'theirs'; Unable to add physical "
     "volume '/dev/loop0' to volume group 'theirs'; /dev/loop0: physical volume not initialized"},
    {"vgcreate-mounted",
     "Can't open /dev/loop0 exclusively.  Mounted filesystem?; Error opening device /dev/loop0 for "
     "reading at 0 length 4096; Cannot use /dev/loop0: device has a signature"},
    {"vgcreate-name-taken", "A volume group called muster already exists"},
    {"vgcreate-name", "Name contains invalid character, valid set includes: [a-zA-Z0-9.-_+]; New "
                      "volume group name \"no name\" is invalid"},
    {"vgcreate-no-device",
     "No device found for /dev/nowhere; Command requires all devices to be found"},
    {"vgcreate-not-shown", "Cannot use /dev/loop4: device is not in devices list; Command requires "
                           "all devices to be found"},
    {"vgcreate-read-only",
     "Error writing device /dev/loop0 at 4096 length 4096; Failed to wipe new metadata area on "
     "/dev/loop0 at 4096 len 4096; Failed to add metadata area for new physical volume /dev/loop0"},
    {"vgcreate-sectors", "Devices have inconsistent logical block sizes (512 and 4096)"},
    {"vgcreate-signature",
     "WARNING: ext4 signature detected on /dev/loop0 at offset 1080. Wipe it? [y/n]: [n]; Aborted "
     "wiping of ext4; 1 existing signature left on the device"},
    {"vgcreate-tag", "Invalid argument for --addtag: no tag; Error during parsing of command line"},
    {"vgcreate-too-small", "Cannot use /dev/loop5: device is too small (pv_min_size); Command "
                           "requires all devices to be found"},
    {"vgremove-locked", "/run/lock/lvm/V_muster: flock failed: Resource temporarily unavailable; "
                        "Can't get lock for muster"},
    {"vgremove-missing",
     "Volume group \"muster\" not found, is inconsistent or has PVs missing; WARNING: Couldn't "
     "find device with uuid wOyAoW-QWtt-2FwZ-Afif-1pOH-SS2Q-bWq4jl"},
    {"vgremove-mounted", "Logical volume muster/scratch contains a filesystem in use"},
    {"vgremove-no-group", "Volume group \"muster\" not found"},
    {"vgremove-read-only",
     "Error writing device /dev/loop0 at 7168 length 1024; Failed to write metadata to /dev/loop0; "
     "Failed to write VG muster; WARNING: Failed to write an MDA of VG muster"},
};

/// A fixture: the command, what it wrote to standard error, its status.
std::string said(const std::filesystem::path& file) {
    const auto text = Files().read(file.string());
    REQUIRE(text);
    const auto begin = text->find('\n') + 1;
    return text->substr(begin, text->rfind("status ") - begin);
}

} // namespace

TEST_CASE("summary: each failure is told by its cause") {
    std::size_t fixtures = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(MUSTER_SOURCE_DIR "/tests/fixtures/lvm/errors")) {
        const auto name = entry.path().stem().string();
        CAPTURE(name);
        const auto row = table.find(name);
        REQUIRE(row != table.end());
        CHECK(summary(said(entry.path())) == row->second);
        ++fixtures;
    }
    CHECK(fixtures == table.size());
}

TEST_CASE("summary: nothing of what LVM says every time") {
    for (const auto& [name, told] : table) {
        CAPTURE(name);
        for (const char* noise : {"backed up", "--help", "Usage", "leaked", "lvmetad", "\n"})
            CHECK_THAT(told, !Catch::Contains(noise));
    }
}

TEST_CASE("summary: few lines, and bounded") {
    CHECK(summary("") == "it did not say why");
    CHECK(summary(" \n\n  WARNING: Metadata changes will NOT be backed up\n") == "it did not say why");
    CHECK(summary("one.\ntwo\nthree\nfour\n") == "one; two; three");
    CHECK(summary("one\none\n  one \ntwo") == "one; two");
    // A warning alone is better than nothing; after errors the first may tell why.
    CHECK(summary("WARNING: a\nWARNING: b") == "WARNING: a");
    CHECK(summary("WARNING: a\nWARNING: b\nno.\n") == "no; WARNING: a");
    CHECK(summary("bad option\nUsage: mkfs\n [-K]\n") == "bad option");
    CHECK(summary("  WARNING: Not using lvmetad because config setting use_lvmetad=0.\n  no\n") ==
          "no");
    CHECK(summary(std::string(100'000, 'x')).size() == 603);
    CHECK(summary("\xff\x01\x7f\t{") == "\xff???{");
}
