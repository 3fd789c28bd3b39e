// The kinds of values that a key can take. A kind is small: what it expects, in words for a person,
// and a check.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/forms.h"
#include "agent/sys/clock.h"

namespace muster {

using Json = nlohmann::json;

/// How much of a wrong value a message may show: it goes to the journal and to the sinks.
enum class Shown {
    whole,
    host,   ///< of an address: what follows the host may be a secret
    nothing ///< an owner may have put the secret itself where its path belongs
};

struct Kind {
    std::string expected; ///< "a duration such as ..., between 1s and 48h"
    /// What was expected of this very value, nothing where it is right. Never throws.
    std::function<Complaint(const Json&)> check;
    Shown shown = Shown::whole;
};

/// The value in at most 60 characters, without the password of any address in it.
[[nodiscard]] std::string to_shown(const Json& value, Shown shown = Shown::whole);

namespace kinds {

[[nodiscard]] Kind boolean();
[[nodiscard]] Kind choice(std::vector<std::string> values);
[[nodiscard]] Kind whole_number(std::uint64_t least, std::uint64_t most);
[[nodiscard]] Kind duration(Duration least, Duration most);
/// A list of durations, each longer than the one before.
[[nodiscard]] Kind moments();
[[nodiscard]] Kind size(std::uint64_t least, std::uint64_t most);
/// A share of the volume group, or an amount.
[[nodiscard]] Kind volume_size();
[[nodiscard]] Kind stripe_size();
/// A share of the root volume, or an amount.
[[nodiscard]] Kind free_space();
[[nodiscard]] Kind free_inodes();
[[nodiscard]] Kind permissions();
[[nodiscard]] Kind volume_id();
[[nodiscard]] Kind expectation();
/// Any text at all that is not empty.
[[nodiscard]] Kind text(std::string expected);
/// A text of a form. `expected` is for the documentation and for what is not a text at all.
[[nodiscard]] Kind form(std::string expected, Complaint (*complaint)(std::string_view),
                        Shown shown = Shown::whole);
/// An absolute path; what it names is never read here.
[[nodiscard]] Kind path(Shown shown = Shown::whole);
[[nodiscard]] Kind mount_options();
[[nodiscard]] Kind command();
/// Of sections and of maps of named entries.
[[nodiscard]] Kind object(std::string expected);

} // namespace kinds

} // namespace muster
