// A machine on which the boot job runs from end to end, with fakes of the four interfaces.
#pragma once

#include <algorithm>

#include "agent/boot.h"
#include "agent/verdict.h"
#include "tests/catch.h"
#include "tests/fakes/fake_command.h"
#include "tests/fakes/fake_kernel.h"
#include "tests/probes/fake_metadata.h"
#include "tests/probes/fake_sysfs.h"

namespace muster {

inline constexpr const char* instance_storage = "Amazon EC2 NVMe Instance Storage";
inline constexpr std::uint64_t GiB = std::uint64_t{1} << 30;

struct BootMachine {
    BootMachine() {
        sysfs.mount({259, 1}, "/");
        sysfs.folder("/run/muster");
        for (const char* node :
             {"/dev/sda1", "/dev/xvda1", "/dev/sdb", "/dev/xvdb", "/dev/sdf", "/dev/xvdf"}) {
            kernel.devices[node].set(fail(Errc::absent, node));
        }
        kernel.spaces["/"].set(Space{100, 50, 100, 50});
        metadata.tree[probes::mapping_path] = "ami\nroot";
        config.ephemeral.expect.otherwise = {.kind = Expectation::Kind::any};
        config.metadata.endpoint = "http://imds"; // FakeMetadata's
        config.ebs.emplace();
        config.ephemeral.layout.volumes = {{.name = "scratch", .mount = "/mnt/scratch"}};
    }

    /// A blank NVMe disk of instance storage, or with something on it.
    void ephemeral(const std::string& name, const std::string& signature = "") {
        const unsigned number = ++disks_;
        sysfs.disk({.name = name,
                    .number = {259, 10 * number},
                    .size = 100 * GiB,
                    .model = instance_storage,
                    .serial = "AWS" + std::to_string(number)});
        kernel.devices["/dev/" + name].set(DeviceNumber{259, 10 * number});
        DiskContent content{.zeroed = signature.empty()};
        if (!signature.empty()) content.signatures = {{.type = signature}};
        kernel.contents["/dev/" + name].set(content);
        kernel.claims["/dev/" + name].set(false);
    }

    Verdict boots(Duration deadline = std::chrono::seconds(240)) {
        Progress progress(clock, clock.now(), [this](const nlohmann::json& event) {
            record.add(nlohmann::json::parse(event.dump()));
        });
        const World world{sysfs.files(), clock,         kernel,
                          commands,      metadata.http, "/run/muster/disks.lock"};
        boot(world, config, progress, Deadline::in(clock, deadline));
        CHECK(record.finished);
        for (const auto& finding : record.findings) {
            INFO(finding.code << ": " << finding.message);
            CHECK(finding.code.empty() == (finding.status == probes::Status::pass));
            CHECK((finding.code.empty() || is_reason_code(finding.code) ||
                   finding.code == "config-unknown-key"));
            CHECK_FALSE(finding.check.empty());
            CHECK_FALSE(finding.subject.empty());
            CHECK_FALSE(finding.message.empty());
        }
        for (const auto& stage : record.timings) {
            INFO(stage.name);
            CHECK(stage.end); // every stage has come to its end
        }
        return decide(record.findings, Ending::finished, record.without_data);
    }

    [[nodiscard]] bool nothing_was_done() const {
        return commands.ran.empty() && kernel.was_mounted.empty();
    }

    FakeSysfs sysfs;
    probes::FakeMetadata metadata;
    FakeClock& clock = metadata.clock;
    FakeKernel kernel{&clock};
    FakeCommands commands{&clock};
    Config config;
    Record record;

  private:
    unsigned disks_ = 0;
};

inline std::string told(const Verdict& verdict) {
    if (verdict.ready) return "ready";
    return verdict.code + (verdict.recreate ? "!" : "");
}

} // namespace muster
