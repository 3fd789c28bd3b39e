#include "lvm/report.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "agent/sys/json_text.h"

namespace muster::lvm {
namespace {

using Json = nlohmann::json;

/// Reads fields of LVM's rows, all of which are strings, and remembers the first that is not there.
class Row {
  public:
    Row(const Json& row, std::string& problem) : row_(row), problem_(problem) {}

    std::string text(const char* field) {
        const auto found = row_.is_object() ? row_.find(field) : row_.end();
        if (found == row_.end() || !found->is_string()) {
            if (problem_.empty()) problem_ = fmt::format("no field \"{}\" in {}", field, shown());
            return "";
        }
        return *found;
    }

    /// LVM prints a flag as its own name, or as nothing.
    bool flag(const char* field) { return !text(field).empty(); }

    template <class Number>
    Number number(const char* field) {
        Number value{};
        const std::string digits = text(field);
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if ((error != std::errc() || end != digits.data() + digits.size()) && problem_.empty()) {
            problem_ = fmt::format("field \"{}\" is no number in {}", field, shown());
        }
        return value;
    }

  private:
    [[nodiscard]] std::string shown() const { return to_text(row_).substr(0, 200); }

    const Json& row_;
    std::string& problem_;
};

const Json* rows_if_any(const Json& report, const char* kind) {
    const auto found = report.is_object() ? report.find(kind) : report.end();
    return found != report.end() && found->is_array() ? &*found : nullptr;
}

/// LVM prints each kind that was asked for, be it empty; one that is not there is lost output, and
/// a group that seems to have no volume would be given a new one.
const Json& rows(const Json& report, const char* kind, std::string& problem) {
    static const Json none = Json::array();
    const auto* found = rows_if_any(report, kind);
    if (found == nullptr && problem.empty()) problem = fmt::format("no rows of \"{}\"", kind);
    return found != nullptr ? *found : none;
}

std::vector<std::string> split_tags(const std::string& text) {
    std::vector<std::string> tags;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(',', at), text.size());
        tags.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return tags;
}

PhysicalVolume physical_volume(const Json& json, std::string& problem) {
    Row row(json, problem);
    PhysicalVolume volume{.name = row.text("pv_name"),
                          .uuid = row.text("pv_uuid"),
                          .missing = row.flag("pv_missing"),
                          .in_use = row.flag("pv_in_use")};
    // A missing one has no device; LVM prints 0 or -1 for its number.
    if (!volume.missing) {
        volume.major = row.number<std::uint32_t>("pv_major");
        volume.minor = row.number<std::uint32_t>("pv_minor");
        volume.extents = row.number<std::uint64_t>("pv_pe_count");
        volume.used_extents = row.number<std::uint64_t>("pv_pe_alloc_count");
    }
    return volume;
}

LogicalVolume logical_volume(const Json& json, std::string& problem) {
    Row row(json, problem);
    return {.name = row.text("lv_name"),
            .uuid = row.text("lv_uuid"),
            .size = row.number<std::uint64_t>("lv_size"),
            .active = row.text("lv_active") == "active",
            .tags = split_tags(row.text("lv_tags"))};
}

VolumeGroup volume_group(const Json& report, const Json& json, std::string& problem) {
    Row row(json, problem);
    VolumeGroup group{.name = row.text("vg_name"),
                      .uuid = row.text("vg_uuid"),
                      .tags = split_tags(row.text("vg_tags")),
                      .extent_size = row.number<std::uint64_t>("vg_extent_size"),
                      .free_extents = row.number<std::uint64_t>("vg_free_count"),
                      .exported = row.flag("vg_exported")};
    for (const auto& volume : rows(report, "pv", problem)) {
        group.physical.push_back(physical_volume(volume, problem));
    }
    for (const auto& volume : rows(report, "lv", problem)) {
        group.logical.push_back(logical_volume(volume, problem));
    }
    for (const auto& segment : rows(report, "seg", problem)) {
        Row seg(segment, problem);
        const auto name = seg.text("lv_name");
        const auto stripes = seg.number<unsigned>("stripes");
        const auto found = std::ranges::find(group.logical, name, &LogicalVolume::name);
        if (found != group.logical.end()) found->stripes = std::max(found->stripes, stripes);
    }
    return group;
}

} // namespace

bool VolumeGroup::has_tag(std::string_view tag) const {
    return std::ranges::find(tags, tag) != tags.end();
}

bool VolumeGroup::partial() const {
    return std::ranges::any_of(physical, &PhysicalVolume::missing);
}

Result<Report> parse_report(std::string_view text) {
    const auto json = parse_json(text);
    if (!json.is_object() || !json.contains("report") || !json["report"].is_array()) {
        return fail(Errc::malformed,
                    fmt::format("lvm fullreport: expected {{\"report\": [...]}}, found {} "
                                "bytes that begin \"{}\"",
                                text.size(), text.substr(0, 40)));
    }
    Report report;
    std::string problem;
    for (const auto& part : json["report"]) {
        const auto* groups = rows_if_any(part, "vg"); // those without a group come without this
        if (groups == nullptr || groups->empty()) {
            for (const auto& volume : rows(part, "pv", problem)) {
                report.orphans.push_back(physical_volume(volume, problem));
            }
        } else if (groups->size() == 1) {
            report.groups.push_back(volume_group(part, groups->front(), problem));
        } else {
            return fail(Errc::malformed, "lvm fullreport: two volume groups in one report");
        }
    }
    if (!problem.empty()) return fail(Errc::malformed, "lvm fullreport: " + problem);
    return report;
}

} // namespace muster::lvm
