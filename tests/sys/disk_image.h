// A file that stands for a disk, and the real kernel's questions about it.
#pragma once

#include <fstream>
#include <memory>
#include <string>

#include "agent/sys/kernel.h"
#include "tests/pace.h"
#include "tests/temporary_folder.h"

namespace muster::testing {

inline constexpr std::uint64_t MiB = 1 << 20;

struct DiskImage : TemporaryFolder {
    DiskImage() { make_image(64 * MiB); }

    /// Zeros, whatever it was before.
    void make_image(std::uint64_t size) const {
        std::ofstream(image).put('\0');
        std::filesystem::resize_file(image, size);
    }
    [[nodiscard]] Deadline in(Duration limit) const { return Deadline::in(*clock, limit); }
    [[nodiscard]] Deadline patiently() const { return in(patience); }

    std::unique_ptr<Clock> clock = make_system_clock();
    std::unique_ptr<Isolate> isolate = make_isolate(*clock).value();
    std::unique_ptr<Kernel> kernel = make_kernel(*clock, *isolate);
    std::string image = path / "disk";
};

} // namespace muster::testing
