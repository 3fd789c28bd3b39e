// What AWS says of the instance types that have instance-store disks: probes/instance_store.tsv.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace muster::probes {

struct InstanceStore {
    unsigned count = 0;           ///< disks
    bool nvme = false;            ///< each has the model that says so; else (Xen) none has any
    std::uint64_t most_bytes = 0; ///< no disk of the type is larger
};

/// Nothing for a type that the table does not have: it has no such disk, was withdrawn, or is
/// newer.
[[nodiscard]] std::optional<InstanceStore> instance_store_of(std::string_view instance_type);

/// How many instance-store disks a machine of this type has; nothing where that is not known.
[[nodiscard]] std::optional<unsigned> instance_store_count(std::string_view instance_type);

} // namespace muster::probes
