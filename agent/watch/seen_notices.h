// Which of the platform's notices have been told. Pure.
#pragma once

#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "probes/notices.h"

namespace muster {

/// Each notice is told once, by its content: one that comes again in other words is another one.
/// One that is gone says nothing (false 404s are known), so it is not told again when it is back.
/// Of the lifecycle state each change is told, beginning with what is not "InService": that is
/// where every instance is to go.
class SeenNotices {
  public:
    /// Those that are new, in their order.
    [[nodiscard]] std::vector<probes::Notice> add(const std::vector<probes::Notice>& now);

    /// For another process of this boot. What can't be understood is as if nothing had been told.
    [[nodiscard]] nlohmann::json to_json() const;
    [[nodiscard]] static SeenNotices from_json(const nlohmann::json& json);

  private:
    [[nodiscard]] bool is_new(const probes::Notice& notice);

    std::deque<std::string> told_; ///< their contents, oldest first
    std::string lifecycle_ = "InService";
};

} // namespace muster
