#include "probes/notices.h"

#include <array>

#include "probes/instance_values.h"

namespace muster::probes {
namespace {

using Notices = std::vector<Notice>;

// A description is a sentence; a whole report has 64 KiB.
constexpr std::size_t max_text = 500;
constexpr std::size_t max_notices = 20;

std::string cut(const std::string& text) {
    return text.substr(0, max_text);
}

Result<Notices> spot_interruption(std::string_view body) {
    const auto action = parse_spot_action(body);
    if (!action) return fail(action.error());
    return Notices{{"spot-interruption", {{"action", cut(action->action)}}, cut(action->time)}};
}

Result<Notices> rebalance(std::string_view body) {
    const auto time = parse_rebalance(body);
    if (!time) return fail(time.error());
    return Notices{{"rebalance", nlohmann::json::object(), cut(*time)}};
}

Result<Notices> maintenance(std::string_view body) {
    const auto events = parse_maintenance(body);
    if (!events) return fail(events.error());
    Notices notices;
    for (const auto& event : *events) {
        if (notices.size() == max_notices) break;
        notices.push_back({"maintenance",
                           {{"id", cut(event.id)},
                            {"code", cut(event.code)},
                            {"state", cut(event.state)},
                            {"description", cut(event.description)},
                            {"not_after", cut(event.not_after)}},
                           cut(event.not_before)});
    }
    return notices;
}

Result<Notices> lifecycle(std::string_view body) {
    const auto state = parse_line(body);
    if (!state) return fail(state.error());
    return Notices{{"lifecycle", {{"state", *state}}, ""}};
}

struct Source {
    const char* path;
    Result<Notices> (*parse)(std::string_view);
};

constexpr std::array sources = {
    Source{"meta-data/spot/instance-action", &spot_interruption},
    Source{"meta-data/autoscaling/target-lifecycle-state", &lifecycle},
    Source{"meta-data/events/recommendations/rebalance", &rebalance},
    Source{"meta-data/events/maintenance/scheduled", &maintenance},
};

} // namespace

NoticeLook read_notices(MetadataService& service, Deadline deadline) {
    NoticeLook look;
    for (const auto& [path, parse] : sources) {
        const auto body = service.read(path, deadline);
        if (!body) {
            const auto& [error, retry_after, of_service, final] = body.error();
            if (error.code == Errc::absent) continue;
            look.error = error;
            if (of_service || final) break;
            continue;
        }
        const auto notices = parse(*body);
        if (!notices) {
            look.error = notices.error();
            continue;
        }
        look.notices.insert(look.notices.end(), notices->begin(), notices->end());
    }
    return look;
}

} // namespace muster::probes
