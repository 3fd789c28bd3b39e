#include <openssl/x509_vfy.h>

#include "agent/sys/trust.h"
#include "tests/catch.h"

using namespace muster;

namespace {

/// Of "CN=a", signed by itself, for a hundred years.
const std::string certificate = "-----BEGIN CERTIFICATE-----\n"
                                "MIIBbjCCARWgAwIBAgIUK0PmGkrNlnKDezNxCxH/AFQxx5YwCgYIKoZIzj0EAwIw\n"
                                "DDEKMAgGA1UEAwwBYTAgFw0yNjExMjcwMTI0MDZaGA8yMTI2MTEwMzAxMjQwNlow\n"
                                "DDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLN0T9andZpo\n"
                                "678f/uaZjoWDmlWG4hlhpTSBJLU6P8I0PItGqBk6/4WXlQsxz/4HjLwlxPPvin1d\n"
                                "GbJooCMpq6OjUzBRMB0GA1UdDgQWBBSOqGp2kD8VZR0JsgyKX7DvLcX2jzAfBgNV\n"
                                "HSMEGDAWgBSOqGp2kD8VZR0JsgyKX7DvLcX2jzAPBgNVHRMBAf8EBTADAQH/MAoG\n"
                                "CCqGSM49BAMCA0cAMEQCIDXRfFrRnIkGwmnd42EJ+pUuWGdTFdfwY2y30p2v2RXU\n"
                                "AiBlMzqbRAtIgRon4UuWUFMj2D1aSpeBqkDeoMGgDGeZKg==\n"
                                "-----END CERTIFICATE-----\n";

int count(const std::string& pem) {
    const auto store = trust_store(pem);
    return store ? sk_X509_OBJECT_num(X509_STORE_get0_objects(store.get())) : -1;
}

} // namespace

TEST_CASE("trust: a bundle is read once") {
    const auto first = trust_store(certificate);
    REQUIRE(first);
    CHECK(trust_store(certificate) == first);
    CHECK(trust_store(certificate + "\n") != first);
}

TEST_CASE("trust: what is in a bundle") {
    CHECK(count(certificate) == 1);
    CHECK(count("# what a distribution writes between them\n" + certificate + "\n\n") == 1);
    CHECK(count(certificate + certificate) == 1); // twice the same
}

TEST_CASE("trust: nothing, or something broken, is no bundle") {
    CHECK(count("") == -1);
    CHECK(count("no certificate at all\n") == -1);
    auto broken = certificate;
    broken.replace(60, 4, "!!!!");
    CHECK(count(broken) == -1);
    // Not the half of it that can be read, either.
    CHECK(count(certificate + broken) == -1);
    CHECK(count(certificate + certificate.substr(0, 200)) == -1);
}
