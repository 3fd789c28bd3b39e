// What is known of EC2's instance types, where the machine itself can't tell.
#pragma once

#include <string_view>

namespace muster::probes {

/// Whether machines of this type can have instance-store disks without a model: those of the Xen
/// families in which they are no NVMe disks. No family is added to these any more; i3 and f1, Xen
/// too, have NVMe disks (EC2 User Guide, "Instance store volumes"; AWS Nitro System, "Instances
/// built on the Xen System").
[[nodiscard]] bool has_store_without_model(std::string_view instance_type);

} // namespace muster::probes
