// Which disks are ephemeral: only those of which that is positively known.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sys/disk.h"
#include "agent/sys/kernel.h"
#include "probes/metadata.h"

namespace muster::probes {

inline constexpr std::string_view instance_store_model = "Amazon EC2 NVMe Instance Storage";
inline constexpr std::string_view ebs_model = "Amazon Elastic Block Store";

/// What the entries' names begin with that are added to the mapping for the owner's own volumes:
/// "ebs.data" (the service's are "ebs1").
inline constexpr std::string_view owners_claim = "ebs.";

enum class Origin {
    instance_store, ///< positively ephemeral; the only kind that is ever written to
    ebs,
    unknown, ///< neither is proved; never written to
};

struct KnownDisk {
    Disk disk;
    Origin origin = Origin::unknown;
    std::string evidence; ///< why, for a person: "NVMe model \"Amazon EC2 ...\""
    std::string mapped;   ///< its name in block-device-mapping: "ephemeral0"; may be empty
    /// Of unknown origin, and it may well be ephemeral: nobody can tell. As long as there is such a
    /// one, the set of ephemeral disks is not known.
    bool doubtful = false;
};

/// Where each name of the mapping leads on this machine, or why that can't be told.
using MappedNodes = std::map<std::string, Result<std::vector<DeviceNode>>>;

/// Pure. A disk is ephemeral by its NVMe model; or, where it has no model at all (Xen), by a
/// confirmed ephemeralN mapping, N below the number of such disks that the machine's type has
/// (probes/instance_types.h), of a name by which the kernel itself has the disk and that no other
/// entry claims, the owner's (`owners_claim`) included. Never by subtraction ("every disk that is
/// not EBS": toil pull request 2253 formatted a root volume so), never by name alone.
[[nodiscard]] std::vector<KnownDisk> tell_origins(const std::vector<Disk>& disks,
                                                  const Mapping& mapping, const MappedNodes& nodes,
                                                  std::string_view instance_type);

/// Whether the disk is of a kind that a mapping can prove anything of.
[[nodiscard]] bool may_be_mapped(const Disk& disk);

/// The mapping's names, looked up on this machine.
[[nodiscard]] MappedNodes resolve_mapping(Kernel& kernel, const Mapping& mapping);

} // namespace muster::probes
