#include "agent/aws/endpoint.h"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

namespace muster::aws {
namespace {

bool is_label_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool is_label(std::string_view text) {
    return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, is_label_character);
}

std::vector<std::string_view> labels_of(std::string_view host) {
    std::vector<std::string_view> labels;
    while (true) {
        const auto end = std::min(host.find('.'), host.size());
        labels.push_back(host.substr(0, end));
        if (end == host.size()) return labels;
        host.remove_prefix(end + 1);
    }
}

std::string_view host_of(std::string_view url) {
    const auto start = url.find("://");
    if (start == url.npos) return {};
    url.remove_prefix(start + 3);
    return url.substr(0, url.find_first_of(":/?"));
}

} // namespace

std::string endpoint_of(std::string_view service, std::string_view region,
                        std::string_view domain) {
    return fmt::format("https://{}.{}.{}/", service, region, domain);
}

std::string normal_url(std::string_view url) {
    std::string normal(url);
    const auto start = std::min(normal.find("://"), normal.size());
    const auto host = std::min(start + 3, normal.size());
    const auto end = std::min(normal.find_first_of("/?", host), normal.size());
    for (std::size_t i = 0; i < end; ++i) {
        char& c = normal[i];
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    if (end == normal.size()) normal += '/';
    return normal;
}

std::string region_of_queue(std::string_view url) {
    const auto labels = labels_of(host_of(url));
    for (std::size_t i = 0; i + 1 < labels.size(); ++i) {
        const auto next = labels[i + 1];
        // "sqs.amazonaws.com" and "queue.amazonaws.com" are us-east-1's oldest names.
        const bool ends = next == "amazonaws";
        if (labels[i] == "sqs" || labels[i] == "sqs-fips")
            return ends ? "us-east-1" : std::string(next);
        if (next == "queue") return std::string(labels[i]);
        if (labels[i] == "queue" && ends) return "us-east-1";
    }
    return "";
}

bool is_region(std::string_view text) {
    return is_label(text);
}

bool is_domain(std::string_view text) {
    return text.size() <= 200 && std::ranges::all_of(labels_of(text), is_label);
}

} // namespace muster::aws
