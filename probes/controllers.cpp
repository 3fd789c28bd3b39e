#include "probes/controllers.h"

#include <string>

#include "probes/ephemeral.h"

namespace muster::probes {
namespace {

// PCI-SIG's number for Amazon, and the class of NVMe controllers ("PCI Code and ID Assignment").
constexpr std::string_view amazon = "0x1d0f";
constexpr std::string_view nvme_class = "0x0108";

/// Names in a folder of sysfs; none where there is no such folder.
Result<std::vector<std::string>> names_in(const Files& files, const std::string& folder) {
    auto names = files.list(folder);
    if (!names && names.error().code == Errc::absent) return std::vector<std::string>{};
    return names;
}

/// A device may go between the listing and the reading: then it is none of the machine's.
Result<std::string> attribute(const Files& files, const std::string& path) {
    auto value = files.read_value(path);
    if (!value && value.error().code == Errc::absent) return "";
    return value;
}

Result<bool> is_untaken(const Files& files, const std::string& device) {
    const auto vendor = attribute(files, device + "/vendor");
    if (!vendor) return fail(vendor.error());
    const auto kind = attribute(files, device + "/class");
    if (!kind) return fail(kind.error());
    return *vendor == amazon && kind->starts_with(nvme_class) && !files.exists(device + "/driver");
}

} // namespace

Result<Controllers> read_controllers(const Files& files) {
    Controllers found;
    const std::string bus = "/sys/bus/pci/devices";
    const auto devices = names_in(files, bus);
    if (!devices) return fail(devices.error());
    for (const auto& device : *devices) {
        const auto untaken = is_untaken(files, bus + "/" + device);
        if (!untaken) return fail(untaken.error());
        if (*untaken) ++found.untaken;
    }
    const std::string nvme = "/sys/class/nvme";
    const auto controllers = names_in(files, nvme);
    if (!controllers) return fail(controllers.error());
    for (const auto& controller : *controllers) {
        const auto model = attribute(files, nvme + "/" + controller + "/model");
        if (!model) return fail(model.error());
        if (*model == instance_store_model) ++found.instance_store;
    }
    return found;
}

} // namespace muster::probes
