#include "agent/sys/digest.h"

#include <array>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace muster {
namespace {

using Buffer = std::array<unsigned char, EVP_MAX_MD_SIZE>;

std::string text_of(const Buffer& buffer, unsigned size) {
    return {reinterpret_cast<const char*>(buffer.data()), size};
}

} // namespace

void start_openssl() {
    // Its first use would read another OpenSSL's openssl.cnf, from a root volume that may hang by
    // then. Nor is it to tidy up when the program ends: a thread may still be hashing, and where
    // nothing was ever hashed it first makes what it then tidies up, and loses 64 bytes
    // (ossl_release_default_drbg_ctx of 3.0 takes a zero for an index).
    static const int ready =
        OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr);
    (void)ready;
}

std::string sha256(std::string_view data) {
    start_openssl();
    Buffer buffer{};
    unsigned size = 0;
    EVP_Digest(data.data(), data.size(), buffer.data(), &size, EVP_sha256(), nullptr);
    return text_of(buffer, size);
}

std::string hmac_sha256(std::string_view key, std::string_view data) {
    start_openssl();
    Buffer buffer{};
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(data.data()), data.size(), buffer.data(), &size);
    return text_of(buffer, size);
}

std::string to_hex(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

} // namespace muster
