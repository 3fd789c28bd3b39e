// A machine with EBS volumes, NVMe or without model and serial, on a fake clock.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "probes/ebs.h"
#include "probes/ephemeral.h"
#include "tests/catch.h"
#include "tests/fakes/fake_kernel.h"
#include "tests/probes/fake_sysfs.h"

namespace muster::probes {

using namespace std::chrono_literals;

inline std::string identify_data(std::string_view vendor_name) {
    std::string data(4096, '\0');
    data.replace(3072, vendor_name.size(), vendor_name);
    return data;
}

/// A clock that lets something happen when a moment comes.
class EventClock : public FakeClock {
  public:
    void sleep_until(Instant when) override {
        FakeClock::sleep_until(when);
        if (event && elapsed() >= at) std::exchange(event, nullptr)();
    }
    Duration at{};
    std::function<void()> event;
};

struct EbsMachine {
    FakeSysfs sysfs;
    EventClock clock;
    FakeKernel kernel{&clock};
    std::vector<std::string> notices;

    EbsMachine() {
        for (const char* node :
             {"/dev/sdf", "/dev/xvdf", "/dev/sdg", "/dev/xvdg", "/dev/sdh", "/dev/xvdh"})
            kernel.devices[node].set(fail(Errc::absent, "no such node"));
    }

    void nvme(const std::string& name, std::uint32_t minor, const std::string& serial,
              const std::string& vendor_name) {
        sysfs.disk({.name = name,
                    .number = {259, minor},
                    .model = std::string(ebs_model),
                    .serial = serial});
        kernel.identities["/dev/" + name].set(identify_data(vendor_name));
        kernel.reads["/dev/" + name].set(5ms);
    }
    void xen(const std::string& name, std::uint32_t minor) {
        sysfs.disk({.name = name, .number = {202, minor}});
        kernel.devices["/dev/" + name].set(DeviceNumber{202, minor});
        kernel.reads["/dev/" + name].set(5ms);
    }

    std::vector<VolumeReport> probe(const std::vector<ExpectedVolume>& expected,
                                    Duration deadline = 300s) {
        return probe_volumes(
            sysfs.files(), kernel, clock, expected, 30s, Deadline::in(clock, deadline),
            [this](std::string_view what, Instant) { notices.emplace_back(what); });
    }
    VolumeReport probe(const ExpectedVolume& expected) {
        auto reports = probe(std::vector{expected});
        REQUIRE(reports.size() == 1);
        CHECK(reports[0].finding.check == "ebs");
        CHECK(reports[0].finding.subject == expected.name);
        CHECK(reports[0].wait.what == "ebs " + expected.name);
        return reports[0];
    }
};

} // namespace muster::probes
