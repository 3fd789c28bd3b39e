// What the block device mapping proves of a disk that has no model (Xen).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "probes/ephemeral.h"
#include "probes/instance_types.h"

namespace muster::probes {

[[nodiscard]] bool is_ephemeral_name(std::string_view name);

/// The entries of the mapping that lead to this disk. "ami" and "root" name the root volume, which
/// is also an ebsN or ephemeralN entry or none; either way they claim their disk.
[[nodiscard]] std::vector<std::string> names_of(const Disk& disk, const MappedNodes& nodes);

/// Pure. References must outlive it.
class MappingProof {
  public:
    MappingProof(const std::vector<Disk>& disks, const Mapping& mapping, const MappedNodes& nodes,
                 std::string_view instance_type);

    /// Why an ephemeralN entry can mean no disk of this machine; "" where it can.
    [[nodiscard]] std::string means_nothing(std::string_view name) const;

    /// What the ephemeralN entries among `names`, which lead to the disk, are worth.
    struct Claim {
        std::string name;    ///< the first that proves something, else the first; "" for none
        std::string why_not; ///< why none proves anything; "" where one does
    };
    [[nodiscard]] Claim claim_of(const Disk& disk, const std::vector<std::string>& names) const;

  private:
    [[nodiscard]] std::string unproved(const Disk& disk, const std::string& name) const;

    const Mapping& mapping_;
    const MappedNodes& nodes_;
    std::string type_;
    InstanceStore store_;  ///< of the type; none where that is not known
    std::string no_proof_; ///< why no entry can mean a disk without a model; "" where one can
};

} // namespace muster::probes
