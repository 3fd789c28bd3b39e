#include "agent/delivery/spool_list.h"

#include <fmt/format.h>

namespace muster {

nlohmann::ordered_json list_spool(const SpoolContent& content) {
    auto list = nlohmann::ordered_json::array();
    for (const auto& entry : content.entries) {
        list.push_back({{"sink", entry.sink},
                        {"outcome", outcome_of(entry.message.body)},
                        {"boot_id", entry.boot_id},
                        {"sequence", entry.sequence},
                        {"time", to_rfc3339(entry.time)}});
    }
    return list;
}

std::string describe_spool(const SpoolContent& content) {
    std::string text;
    if (!content.entries.empty()) text = "\nnot delivered yet (muster deliver sends it):\n";
    for (const auto& entry : content.entries) {
        const auto outcome = outcome_of(entry.message.body);
        text += fmt::format("  to {}: {} of {}, boot {}, number {}\n", entry.sink,
                            outcome.empty() ? "a report" : outcome, to_rfc3339(entry.time),
                            entry.boot_id, entry.sequence);
    }
    for (const auto& error : content.unread)
        text += fmt::format("\nthe spool can't be read: {}\n", error.message);
    return text;
}

} // namespace muster
