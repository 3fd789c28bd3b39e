// The machines that assembly starts from in the tests of all its steps.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/lvm/assembly.h"

namespace muster::lvm {

/// What a machine may be like before muster comes, where the configuration lets it go on.
struct Start {
    const char* name;
    void (*prepare)(Assembly& job);
};

inline void carry(Assembly& job, const std::string& disk, std::vector<Signature> signatures) {
    job.machine.disks.at(disk).content = {.signatures = std::move(signatures)};
}

/// A stranger's filesystem, whole, where the first volume will begin.
inline void leave_payroll(Assembly& job) {
    for (auto& [name, disk] : job.machine.disks)
        disk.beneath = {.signatures = {{"xfs", "filesystem", "payroll", "", 0}}};
}

inline const Start starts[] = {
    {"blank", [](Assembly&) {}},
    {"blank, with a filesystem where the volume will begin", leave_payroll},
    {"several volumes, with a filesystem where each will begin",
     [](Assembly& job) {
         job.layout = layouts()[1];
         leave_payroll(job);
     }},
    {"/mnt is a link, and files are at the mount point",
     [](Assembly& job) {
         job.machine.folder_links = {{"/mnt", "/var/mnt"}};
         job.machine.files_at["/var/mnt/scratch"] = {"old"};
     }},
    {"an old LVM", [](Assembly& job) { job.lvm.version = "2.02.187"; }},
    {"several volumes", [](Assembly& job) { job.layout = layouts()[1]; }},
    {"foreign data, to be wiped",
     [](Assembly& job) {
         job.layout.on_foreign_data = ForeignData::wipe;
         const auto size = job.machine.disks.at("nvme1n1").spec.size;
         carry(job, "nvme1n1",
               {{"PMBR", "partition table", "", "", 510},
                {"gpt", "partition table", "", "", 512},
                {"gpt", "partition table", "", "", size - 512}});
         leave_payroll(job); // in its first partition
         job.machine.add_partition("nvme1n1", "nvme1n1p1", {259, 100});
         carry(job, "nvme2n1",
               {{"crypto_LUKS", "crypto", "", "", 0}, {"crypto_LUKS", "crypto", "", "", 4 << 20}});
     }},
    {"data without a signature, to be wiped",
     [](Assembly& job) {
         job.layout.on_foreign_data = ForeignData::wipe;
         carry(job, "nvme1n1", {});
     }},
    {"somebody's volume group, to be wiped",
     [](Assembly& job) {
         job.layout.on_foreign_data = ForeignData::wipe;
         job.lvm.make_group("data", {}, {"nvme1n1", "nvme2n1"});
     }},
    {"the vendor's filesystem",
     [](Assembly& job) {
         job.layout.on_foreign_data = ForeignData::wipe_preformatted;
         carry(job, "nvme1n1", {{"ext3", "filesystem", "", "", 1080}});
         job.machine.disks.at("nvme1n1").content.preformatted = true;
     }},
    {"labels that say in use, of no group",
     [](Assembly& job) {
         job.lvm.label("nvme1n1", true);
         job.lvm.label("nvme2n1", false);
     }},
    {"our group with a disk missing, to be rebuilt",
     [](Assembly& job) {
         job.layout.on_partial = PartialGroup::rebuild;
         auto& group = job.lvm.make_group("muster", {"muster", "muster.instance=i-0abc"},
                                          {"nvme1n1", "nvme2n1"});
         group.pvs.emplace_back("gone");
         group.volumes.push_back(
             {.name = "scratch", .uuid = "u", .extents = 10, .minor = 0, .tags = {}});
         group.volumes.back().content = {.signatures = {{"xfs", "filesystem", "payroll", "", 0}}};
     }},
};

} // namespace muster::lvm
