#include "agent/aws/sigv4.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "agent/sys/digest.h"

namespace muster::aws {
namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";

struct Url {
    std::string_view scheme, authority, path, query;
};

Url split(std::string_view url) {
    Url parts;
    const auto colon = std::min(url.find("://"), url.size());
    parts.scheme = url.substr(0, colon);
    const auto rest = url.substr(std::min(colon + 3, url.size()));
    const auto end = std::min(rest.find_first_of("/?"), rest.size());
    parts.authority = rest.substr(0, end);
    const auto question = std::min(rest.find('?', end), rest.size());
    parts.path = rest.substr(end, question - end);
    if (question < rest.size()) parts.query = rest.substr(question + 1);
    return parts;
}

/// As libcurl sends it: without the port that goes without saying.
std::string host_header(const Url& url) {
    const std::string_view port = url.scheme == "https" ? ":443" : ":80";
    auto host = url.authority;
    if (host.ends_with(port)) host.remove_suffix(port.size());
    return std::string(host);
}

std::vector<std::string_view> split_at(std::string_view text, char mark) {
    std::vector<std::string_view> parts;
    while (true) {
        const auto end = std::min(text.find(mark), text.size());
        parts.push_back(text.substr(0, end));
        if (end == text.size()) return parts;
        text.remove_prefix(end + 1);
    }
}

/// Without dots and doubled slashes, and encoded once more than it is sent.
std::string canonical_path(std::string_view path) {
    std::vector<std::string_view> steps;
    for (const auto step : split_at(path, '/')) {
        if (step == "..") {
            if (!steps.empty()) steps.pop_back();
        } else if (!step.empty() && step != ".") {
            steps.push_back(step);
        }
    }
    const bool folder = path.ends_with('/') && !steps.empty();
    return percent_encoded(fmt::format("/{}{}", fmt::join(steps, "/"), folder ? "/" : ""), "/");
}

std::string canonical_query(std::string_view query) {
    if (query.empty()) return "";
    std::vector<std::pair<std::string_view, std::string_view>> pairs;
    for (const auto pair : split_at(query, '&')) {
        const auto equals = std::min(pair.find('='), pair.size());
        pairs.emplace_back(pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size())));
    }
    std::ranges::sort(pairs);
    std::string text;
    for (const auto& [name, value] : pairs)
        text += fmt::format("{}{}={}", text.empty() ? "" : "&", name, value);
    return text;
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return result;
}

/// White space at the ends gone, any other run of it one space.
std::string trimmed_all(std::string_view value) {
    std::string text;
    bool gap = false;
    for (const char c : value) {
        const bool space = c == ' ' || (c >= '\t' && c <= '\r');
        if (!space && gap && !text.empty()) text += ' ';
        if (!space) text += c;
        gap = space;
    }
    return text;
}

/// By their lower-case names; one that is there twice has both its values.
std::map<std::string, std::string> headers_to_sign(const std::vector<HttpHeader>& headers) {
    // What stands between us and the service may change these.
    constexpr std::string_view unsigned_names[] = {"expect", "user-agent", "x-amzn-trace-id"};
    std::map<std::string, std::string> signed_headers;
    for (const auto& [name, value] : headers) {
        const auto key = lower(name);
        if (std::ranges::find(unsigned_names, key) != std::end(unsigned_names)) continue;
        const auto [entry, is_first] = signed_headers.try_emplace(key, trimmed_all(value));
        if (!is_first) entry->second += "," + trimmed_all(value);
    }
    return signed_headers;
}

/// "2026-11-21T20:01:02.345Z" -> "20261121T200102Z"
std::string amz_date(WallTime time) {
    auto text = to_rfc3339(time).substr(0, 19);
    std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
    return text + "Z";
}

std::string signing_key(const Scope& scope, const probes::Credentials& credentials,
                        const std::string& day) {
    auto key = "AWS4" + credentials.secret_access_key;
    for (const std::string_view part :
         {std::string_view(day), std::string_view(scope.region), std::string_view(scope.service),
          std::string_view("aws4_request")})
        key = hmac_sha256(key, part);
    return key;
}

} // namespace

std::string percent_encoded(std::string_view text, std::string_view also_safe) {
    std::string result;
    for (const char c : text) {
        const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || std::string_view("-._~").contains(c) ||
                          also_safe.contains(c);
        if (safe) {
            result += c;
        } else {
            result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return result;
}

Signature sign(const HttpRequest& request, const Scope& scope,
               const probes::Credentials& credentials, WallTime time) {
    const auto url = split(request.url);
    const auto date = amz_date(time);
    const auto day = date.substr(0, 8);

    Signature signature;
    signature.headers.emplace_back("X-Amz-Date", date);
    if (!credentials.token.empty())
        signature.headers.emplace_back("X-Amz-Security-Token", credentials.token);

    auto headers = request.headers;
    headers.insert(headers.end(), signature.headers.begin(), signature.headers.end());
    headers.emplace_back("host", host_header(url));
    std::string lines;
    std::string names;
    for (const auto& [name, value] : headers_to_sign(headers)) {
        lines += fmt::format("{}:{}\n", name, value);
        names += (names.empty() ? "" : ";") + name;
    }

    signature.canonical_request =
        fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, canonical_path(url.path),
                    canonical_query(url.query), lines, names, to_hex(sha256(request.body)));
    const auto where = fmt::format("{}/{}/{}/aws4_request", day, scope.region, scope.service);
    signature.string_to_sign = fmt::format("{}\n{}\n{}\n{}", algorithm, date, where,
                                           to_hex(sha256(signature.canonical_request)));
    signature.headers.emplace_back(
        "Authorization", fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}",
                                     algorithm, credentials.access_key_id, where, names,
                                     to_hex(hmac_sha256(signing_key(scope, credentials, day),
                                                        signature.string_to_sign))));
    return signature;
}

} // namespace muster::aws
