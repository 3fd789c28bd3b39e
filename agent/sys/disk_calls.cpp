#include "agent/sys/disk_calls.h"

#include "agent/sys/disk_content.h"
#include "agent/sys/open_files.h"
#include "agent/sys/wipe_blocks.h"

namespace muster {

using wire::Json;

namespace {

Json from_content(const DiskContent& content) {
    Json list = Json::array();
    for (const auto& one : content.signatures) {
        list.push_back(Json{one.type, one.usage, one.label, one.uuid, one.offset});
    }
    return Json{{"signatures", list},
                {"zeroed", content.zeroed},
                {"ends", content.ends},
                {"lvm_remains", content.lvm_remains},
                {"lvm_empty", content.lvm_empty},
                {"preformatted", content.preformatted}};
}

Json from_number(const DeviceNumber& number) {
    return Json{number.major, number.minor};
}

DeviceNumber to_number(const Json& json) {
    return {json.at(0).get<std::uint32_t>(), json.at(1).get<std::uint32_t>()};
}

} // namespace

DiskContent to_content(const Json& answer) {
    DiskContent content;
    content.zeroed = answer.at("zeroed").get<bool>();
    content.ends = answer.at("ends").get<std::uint64_t>();
    content.lvm_remains = answer.at("lvm_remains").get<bool>();
    content.lvm_empty = answer.at("lvm_empty").get<bool>();
    content.preformatted = answer.at("preformatted").get<bool>();
    for (const auto& one : answer.at("signatures")) {
        content.signatures.push_back({one.at(0).get<std::string>(), one.at(1).get<std::string>(),
                                      one.at(2).get<std::string>(), one.at(3).get<std::string>(),
                                      one.at(4).get<std::uint64_t>()});
    }
    return content;
}

Result<Json> do_content(const Json& argument) {
    const auto content = read_disk_content(argument.at("node").get<std::string>());
    if (!content) {
        return fail(content.error());
    }
    return from_content(*content);
}

Json from_devices(const std::vector<DeviceNumber>& devices, bool only_dev) {
    Json numbers = Json::array();
    for (const auto& device : devices) {
        numbers.push_back(from_number(device));
    }
    return Json{{"devices", numbers}, {"only_dev", only_dev}};
}

Result<Json> do_openers(const Json& argument) {
    std::vector<DeviceNumber> devices;
    for (const auto& number : argument.at("devices")) {
        devices.push_back(to_number(number));
    }
    const auto openers = find_openers("/proc", devices, argument.at("only_dev").get<bool>());
    if (!openers) {
        return fail(openers.error());
    }
    Json found = Json::array();
    for (const auto& one : openers->found) {
        found.push_back(Json{from_number(one.device), one.pid, one.program, one.writes});
    }
    return Json{{"found", found}, {"unseen", openers->unseen}, {"only_dev", openers->only_dev}};
}

Openers to_openers(const Json& answer) {
    Openers openers{.found = {},
                    .unseen = answer.at("unseen").get<std::size_t>(),
                    .only_dev = answer.at("only_dev").get<bool>()};
    for (const auto& one : answer.at("found")) {
        openers.found.push_back({to_number(one.at(0)), one.at(1).get<int>(),
                                 one.at(2).get<std::string>(), one.at(3).get<bool>()});
    }
    return openers;
}

Json from_wipe(const WipeRequest& request) {
    Json extents = Json::array();
    for (const auto& extent : request.extents) {
        extents.push_back(Json{extent.offset, extent.length});
    }
    return Json{{"node", request.node},
                {"number", from_number(request.number)},
                {"content", from_content(request.content)},
                {"extents", extents},
                {"partitioned", request.partitioned}};
}

Result<Json> do_wipe(const Json& argument) {
    WipeRequest request{.node = argument.at("node").get<std::string>(),
                        .number = to_number(argument.at("number")),
                        .content = to_content(argument.at("content")),
                        .extents = {},
                        .partitioned = argument.at("partitioned").get<bool>()};
    for (const auto& one : argument.at("extents")) {
        request.extents.push_back({one.at(0).get<std::uint64_t>(), one.at(1).get<std::uint64_t>()});
    }
    const auto wiped = wipe_blocks(request);
    if (!wiped) {
        return fail(wiped.error());
    }
    return Json(static_cast<int>(*wiped));
}

} // namespace muster
