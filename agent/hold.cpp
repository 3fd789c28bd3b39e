#include "agent/hold.h"

#include <algorithm>
#include <random>

#include "agent/sys/schedule.h"
#include "probes/instance_values.h"

namespace muster {
namespace {

// Metadata has said 404 for two seconds of what was there, and a machine that is wrongly taken for
// not held is gone for good.
constexpr unsigned absences_believed = 3;
constexpr Duration absence_span = std::chrono::seconds(2);
constexpr Backoff backoff{.base = std::chrono::milliseconds(200), .cap = std::chrono::seconds(2)};

/// Of the listing, not of the tag itself: an empty answer may be a tag without a value or a service
/// that fails, but a listing is never empty.
std::expected<bool, probes::ReadingError>
has_tag(const std::string& key, probes::MetadataService& metadata, Deadline deadline) {
    const auto listing = metadata.read("meta-data/tags/instance/", deadline);
    if (!listing) return std::unexpected(listing.error());
    const auto keys = probes::parse_tag_keys(*listing);
    if (!keys) return std::unexpected(probes::ReadingError{.error = keys.error()});
    return std::ranges::find(*keys, key) != keys->end();
}

} // namespace

Hold is_held(const HoldConfig& config, const Files& files, probes::MetadataService& metadata,
             Clock& clock, Deadline deadline) {
    if (files.exists(config.file)) return {true, "held by the file " + config.file};
    Schedule schedule(backoff, std::random_device{}());
    unsigned absences = 0; // in a row
    Instant absent_since{};
    while (true) {
        const auto tagged = has_tag(config.tag, metadata, deadline);
        if (tagged && *tagged) return {true, "held by the tag " + config.tag};
        if (tagged) return {};
        const bool absent = tagged.error().error.code == Errc::absent;
        absences = absent ? absences + 1 : 0;
        if (absences == 1) absent_since = clock.now();
        const bool lasts = clock.now() - absent_since >= absence_span;
        if (absences >= absences_believed && lasts) return {};
        const Instant next = clock.now() + schedule.next(tagged.error().retry_after);
        if (tagged.error().final || next >= deadline.at)
            return {false, "whether there is a tag can't be told: " + tagged.error().error.message};
        clock.sleep_until(next);
    }
}

} // namespace muster
