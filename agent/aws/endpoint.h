// Where a service of AWS is. Pure.
#pragma once

#include <string>
#include <string_view>

namespace muster::aws {

/// "https://autoscaling.eu-west-1.amazonaws.com/". `domain` as metadata has it in services/domain:
/// "amazonaws.com", "amazonaws.com.cn"; each partition has its own.
[[nodiscard]] std::string endpoint_of(std::string_view service, std::string_view region,
                                      std::string_view domain);

/// As a request is sent and signed: the host in lower case, "/" where there is no path.
[[nodiscard]] std::string normal_url(std::string_view url);

/// The region that a queue's url names: "https://sqs.eu-west-1.amazonaws.com/1234/q", the older
/// "https://eu-west-1.queue.amazonaws.com/...", "https://sqs-fips.us-east-1.amazonaws.com/...",
/// "https://vpce-0a1b-2c3d.sqs.us-east-1.vpce.amazonaws.com/...". "" where it names none.
[[nodiscard]] std::string region_of_queue(std::string_view url);

/// Letters, digits and hyphens, as in "eu-west-1": what may become part of a host's name.
[[nodiscard]] bool is_region(std::string_view text);
/// The same with dots between.
[[nodiscard]] bool is_domain(std::string_view text);

} // namespace muster::aws
