// SHA-256, alone and with a key (RFC 2104), as requests to AWS are signed with them.
#pragma once

#include <string>
#include <string_view>

namespace muster {

/// Makes OpenSSL ready for this process. The first one who does so decides how it begins and ends:
/// to be called before libcurl does.
void start_openssl();

/// 32 bytes.
[[nodiscard]] std::string sha256(std::string_view data);
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view data);

/// "e3b0c442..."
[[nodiscard]] std::string to_hex(std::string_view bytes);

} // namespace muster
