#include "agent/config/kinds.h"

#include <algorithm>
#include <bit>

#include "agent/config/expect.h"
#include "agent/config/units.h"
#include "agent/sys/json_text.h"

namespace muster {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kShownCharacters = 60;
constexpr std::size_t kMostInList = 64;

const std::string* as_text(const Json& value) {
    return value.get_ptr<const std::string*>();
}

Kind made_of(std::string expected, std::function<bool(const Json&)> accepts) {
    return {expected, [expected, accepts = std::move(accepts)](const Json& value) {
                return accepts(value) ? std::nullopt : Complaint(expected);
            }};
}

/// A kind for values that stand as a text which `parse` understands and `accepts` takes.
template <class Parse, class Accepts>
Kind parsed(std::string expected, Parse parse, Accepts accepts) {
    return made_of(std::move(expected), [parse, accepts](const Json& value) {
        const auto* text = as_text(value);
        const auto result = text == nullptr ? decltype(parse(*text))() : parse(*text);
        return result && accepts(*result);
    });
}

std::string joined(const std::vector<std::string>& values) {
    std::string result;
    for (std::size_t i = 0; i < values.size(); ++i) {
        result += i == 0 ? "" : i + 1 == values.size() ? " or " : ", ";
        result += '"' + values[i] + '"';
    }
    return result;
}

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

std::string shortened(const std::string& text) {
    std::size_t characters = 0;
    std::size_t cut = text.size();
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_continuation(text[i])) {
            continue;
        }
        if (++characters == kShownCharacters - 2) { // three characters are for the dots
            cut = i;
        }
    }
    return characters <= kShownCharacters ? text : text.substr(0, cut) + "...";
}

/// "https://user:secret@host" as "https://***@host", wherever it stands.
Json without_passwords(Json value) {
    if (auto* text = value.get_ptr<std::string*>()) {
        const auto start = text->find("://");
        const auto sign = text->rfind('@');
        if (start != text->npos && sign != text->npos && sign > start) {
            text->replace(start + 3, sign - start - 3, "***");
        }
    } else if (value.is_structured()) {
        for (auto& part : value) {
            part = without_passwords(std::move(part));
        }
    }
    return value;
}

/// "https://hooks.example/T0/SECRET" as "https://hooks.example/...".
std::string host_only(const std::string& url) {
    const auto scheme = url.find("://");
    const auto end = url.find_first_of("/?#", scheme == url.npos ? 0 : scheme + 3);
    return end == url.npos || end + 1 == url.size() ? url : url.substr(0, end + 1) + "...";
}

std::string kind_of_value(const Json& value) {
    if (const auto* text = as_text(value)) {
        return "a text of " + std::to_string(text->size()) + " bytes (not shown)";
    }
    return value.is_structured() || value.is_null() ? std::string("an ") + value.type_name()
                                                    : std::string("a ") + value.type_name();
}

} // namespace

std::string to_shown(const Json& value, Shown shown) {
    const auto* text = as_text(value);
    if (shown == Shown::nothing || (shown == Shown::host && text == nullptr)) {
        return kind_of_value(value);
    }
    // Passwords first: a cut could hide the "@" that gives one away.
    auto visible = without_passwords(value);
    if (shown == Shown::host) {
        visible = host_only(*as_text(visible));
    }
    return shortened(to_text(visible));
}

namespace kinds {

Kind boolean() {
    return made_of("true or false", [](const Json& value) { return value.is_boolean(); });
}

Kind choice(std::vector<std::string> values) {
    std::string expected = joined(values);
    return made_of(std::move(expected), [values = std::move(values)](const Json& value) {
        const auto* text = as_text(value);
        return text != nullptr && std::ranges::find(values, *text) != values.end();
    });
}

Kind whole_number(std::uint64_t least, std::uint64_t most) {
    return made_of("a whole number between " + std::to_string(least) + " and " +
                       std::to_string(most),
                   [=](const Json& value) {
                       // Neither true nor 3.0 is one.
                       return value.is_number_unsigned() && value.get<std::uint64_t>() >= least &&
                              value.get<std::uint64_t>() <= most;
                   });
}

Kind duration(Duration least, Duration most) {
    return parsed("a duration such as \"100s\", \"5m\" or \"250ms\", between " +
                      format_duration(least) + " and " + format_duration(most),
                  parse_duration, [=](Duration d) { return d >= least && d <= most; });
}

Kind moments() {
    return made_of("a list of up to 200 durations between 1ms and 48h, each longer than the one "
                   "before, such as [\"9s\", \"9500ms\", \"12s\"]",
                   [](const Json& value) {
                       constexpr std::size_t kMost = 200;
                       if (!value.is_array() || value.empty() || value.size() > kMost) {
                           return false;
                       }
                       Duration last{0};
                       return std::ranges::all_of(value, [&last](const Json& item) {
                           const auto* text = as_text(item);
                           const auto moment = text ? parse_duration(*text) : std::nullopt;
                           const bool later =
                               moment && *moment > last && *moment <= 48h && *moment >= 1ms;
                           last = moment.value_or(last);
                           return later;
                       });
                   });
}

Kind size(std::uint64_t least, std::uint64_t most) {
    return parsed("a size such as \"512MiB\" or \"100GiB\", between " + format_size(least) +
                      " and " + format_size(most),
                  parse_size, [=](std::uint64_t s) { return s >= least && s <= most; });
}

Kind volume_size() {
    // LVM rounds to extents of 4 MiB; one mebibyte less is a volume without a single one.
    constexpr std::uint64_t kLeast = 4ULL << 20;
    constexpr std::uint64_t kMost = 1024ULL << 40;
    return made_of("a whole share of the volume group such as \"100%\", from 1% to 100%, or a size "
                   "such as \"100GiB\", between 4MiB and 1024TiB",
                   [](const Json& value) {
                       const auto* text = as_text(value);
                       if (text == nullptr) {
                           return false;
                       }
                       const auto bytes = parse_size(*text);
                       return parse_whole_percent(*text).value_or(0) > 0 ||
                              (bytes && *bytes >= kLeast && *bytes <= kMost);
                   });
}

Kind stripe_size() {
    // LVM wants a power of two of at least a page, and no more than an extent (4 MiB). Beyond 1 MiB
    // most requests would stay on one disk, which is what striping is to prevent.
    return parsed("a size that is a power of two such as \"256KiB\", between 4KiB and 1MiB",
                  parse_size, [](std::uint64_t size) {
                      return std::has_single_bit(size) && size >= 4096 && size <= 1 << 20;
                  });
}

Kind free_space() {
    return made_of("a share such as \"5%\", from 0% to 99%, or a size such as \"10GiB\"",
                   [](const Json& value) {
                       const auto* text = as_text(value);
                       return text != nullptr &&
                              (parse_percent(*text).value_or(100) <= 99 || parse_size(*text));
                   });
}

Kind free_inodes() {
    return made_of("a share such as \"5%\", from 0% to 99%, or a whole number of inodes",
                   [](const Json& value) {
                       const auto* text = as_text(value);
                       return value.is_number_unsigned() ||
                              (text != nullptr && parse_percent(*text).value_or(100) <= 99);
                   });
}

Kind permissions() {
    return parsed("permissions in octal digits such as \"1777\" or \"0755\"", parse_permissions,
                  [](auto) { return true; });
}

Kind volume_id() {
    return parsed("a volume id such as \"vol-0123456789abcdef0\"", normal_volume_id,
                  [](const auto&) { return true; });
}

Kind expectation() {
    return made_of("\"any\", \"none\", a whole number up to " + std::to_string(kMostDisks) +
                       ", {\"min\": 2} or {\"by_type\": {\"i4i.large\": 1}, \"default\": \"any\"}",
                   [](const Json& value) { return parse_expectation(value).has_value(); });
}

Kind text(std::string expected) {
    return made_of(std::move(expected), [](const Json& value) {
        const auto* text = as_text(value);
        return text != nullptr && !text->empty() && text->size() <= 1024;
    });
}

Kind form(std::string expected, Complaint (*complaint)(std::string_view), Shown shown) {
    const auto check = [expected, complaint](const Json& value) {
        const auto* text = as_text(value);
        return text == nullptr ? Complaint(expected) : complaint(*text);
    };
    return {expected, check, shown};
}

Kind path(Shown shown) {
    return form("an absolute path without \".\", \"..\", \"//\" or a \"/\" at its end",
                path_complaint, shown);
}

Kind mount_options() {
    const std::string expected = "a list of mount options such as [\"noatime\"]";
    const auto check = [expected](const Json& value) -> Complaint {
        if (!value.is_array() || value.size() > kMostInList) {
            return expected;
        }
        for (const auto& option : value) {
            const auto* text = as_text(option);
            if (auto complaint = text ? mount_option_complaint(*text) : Complaint(expected)) {
                return complaint;
            }
        }
        return std::nullopt;
    };
    return {expected, check};
}

Kind command() {
    const auto is_word = [](const Json& word) {
        constexpr std::size_t kLongest = 4096;
        const auto* text = as_text(word);
        // A zero byte would end the argument there, unseen.
        return text != nullptr && text->size() <= kLongest && text->find('\0') == text->npos;
    };
    auto kind = made_of("a list of texts, an absolute path first, such as "
                        "[\"/usr/local/sbin/app\", \"--check-config\"]",
                        [=](const Json& value) {
                            return value.is_array() && !value.empty() &&
                                   value.size() <= kMostInList &&
                                   std::ranges::all_of(value, is_word) &&
                                   !path_complaint(*as_text(value.front()));
                        });
    kind.shown = Shown::nothing; // an argument may be a secret, though it should not
    return kind;
}

Kind object(std::string expected) {
    return made_of(std::move(expected), [](const Json& value) { return value.is_object(); });
}

} // namespace kinds

} // namespace muster
