// Signs what test_sigv4.py says: a JSON object a line in, one out.
#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/aws/sigv4.h"

using namespace muster;
using nlohmann::json;

namespace {

json answer(const json& asked) {
    HttpRequest request{.method = asked.at("method"),
                        .url = asked.at("url"),
                        .headers = {},
                        .body = asked.at("body")};
    for (const auto& header : asked.at("headers"))
        request.headers.emplace_back(header.at(0), header.at(1));
    const auto signature =
        aws::sign(request, {.region = asked.at("region"), .service = asked.at("service")},
                  {.access_key_id = asked.at("key"),
                   .secret_access_key = asked.at("secret"),
                   .token = asked.at("token"),
                   .expiration = ""},
                  WallTime(std::chrono::milliseconds(asked.at("time_ms").get<std::int64_t>())));
    return {{"canonical_request", signature.canonical_request},
            {"string_to_sign", signature.string_to_sign},
            {"headers", signature.headers}};
}

} // namespace

int main() {
    for (std::string line; std::getline(std::cin, line);)
        std::cout << answer(json::parse(line)).dump() << std::endl;
}
