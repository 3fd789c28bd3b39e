#include "agent/config/expect.h"

#include <algorithm>
#include <ranges>

#include "agent/config/forms.h"

namespace muster {

namespace {

std::optional<unsigned> parse_count(const nlohmann::json& value, unsigned least) {
    // Not is_number(): 3.0 is a number too, and so is -1.
    if (!value.is_number_unsigned()) {
        return std::nullopt;
    }
    const auto count = value.get<std::uint64_t>();
    return count >= least && count <= kMostDisks ? std::optional(static_cast<unsigned>(count))
                                                 : std::nullopt;
}

std::optional<Expectation> parse_simple(const nlohmann::json& value) {
    using Kind = Expectation::Kind;
    if (value == "any") {
        return Expectation{};
    }
    if (value == "none") {
        return Expectation{Kind::none, 0};
    }
    if (const auto count = parse_count(value, 0)) {
        return Expectation{*count == 0 ? Kind::none : Kind::exactly, *count};
    }
    if (value.is_object() && value.size() == 1 && value.contains("min")) {
        if (const auto count = parse_count(*value.find("min"), 1)) {
            return Expectation{Kind::at_least, *count};
        }
    }
    return std::nullopt;
}

bool is_by_type(const nlohmann::json& value) {
    const auto types = value.contains("by_type") ? 1U : 0U;
    const auto otherwise = value.contains("default") ? 1U : 0U;
    return value.is_object() && !value.empty() && value.size() == types + otherwise;
}

} // namespace

std::optional<ExpectationByType> parse_expectation(const nlohmann::json& value) {
    ExpectationByType result;
    if (!is_by_type(value)) {
        const auto simple = parse_simple(value);
        return simple ? std::optional(ExpectationByType{{}, *simple}) : std::nullopt;
    }
    if (const auto otherwise = value.find("default"); otherwise != value.end()) {
        const auto simple = parse_simple(*otherwise);
        if (!simple) {
            return std::nullopt;
        }
        result.otherwise = *simple;
    }
    const auto types = value.find("by_type");
    if (types == value.end()) {
        return result;
    }
    if (!types->is_object()) {
        return std::nullopt;
    }
    for (const auto& [type, expected] : types->items()) {
        const auto simple = parse_simple(expected);
        if (!simple || !is_instance_type(type)) {
            return std::nullopt;
        }
        result.by_type.emplace(type, *simple);
    }
    return result;
}

Expectation ExpectationByType::of(const std::string& instance_type) const {
    const auto found = by_type.find(instance_type);
    return found == by_type.end() ? otherwise : found->second;
}

bool ExpectationByType::may_be_none() const {
    const auto none = [](const Expectation& one) { return one.kind == Expectation::Kind::none; };
    return none(otherwise) || std::ranges::any_of(by_type | std::views::values, none);
}

} // namespace muster
