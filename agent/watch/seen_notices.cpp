#include "agent/watch/seen_notices.h"

#include <algorithm>

#include "agent/sys/json_text.h"

namespace muster {
namespace {

using Json = nlohmann::json;

// More than there can be at once.
constexpr std::size_t max_told = 200;

std::string content_of(const probes::Notice& notice) {
    return to_text(Json::array({notice.kind, notice.detail, notice.time}));
}

} // namespace

bool SeenNotices::is_new(const probes::Notice& notice) {
    if (notice.kind == "lifecycle") {
        const auto state = notice.detail.value("state", "");
        const bool changed = state != lifecycle_;
        lifecycle_ = state;
        return changed;
    }
    auto content = content_of(notice);
    if (std::ranges::find(told_, content) != told_.end()) return false;
    told_.push_back(std::move(content));
    if (told_.size() > max_told) told_.pop_front();
    return true;
}

std::vector<probes::Notice> SeenNotices::add(const std::vector<probes::Notice>& now) {
    std::vector<probes::Notice> news;
    for (const auto& notice : now) {
        if (is_new(notice)) news.push_back(notice);
    }
    return news;
}

Json SeenNotices::to_json() const {
    return {{"told", told_}, {"lifecycle", lifecycle_}};
}

SeenNotices SeenNotices::from_json(const Json& json) try {
    SeenNotices seen;
    seen.told_ = json.at("told").get<std::deque<std::string>>();
    seen.lifecycle_ = json.at("lifecycle").get<std::string>();
    return seen;
} catch (const Json::exception&) {
    return {};
}

} // namespace muster
