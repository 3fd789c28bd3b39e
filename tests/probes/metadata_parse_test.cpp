#include "probes/metadata.h"
#include "tests/catch.h"

using namespace muster;
using namespace muster::probes;

namespace {

std::string document(const std::string& id = "i-0abc", const std::string& image = "ami-1") {
    return R"({"instanceId": ")" + id + R"(", "imageId": ")" + image +
           R"(", "instanceType": "i4i.large", "accountId": "123456789012",
               "region": "eu-west-1", "availabilityZone": "eu-west-1a", "pendingTime": "x"})";
}

} // namespace

TEST_CASE("identity document: parsed") {
    const auto identity = parse_identity(document());
    REQUIRE(identity);
    CHECK(*identity ==
          Identity{"i-0abc", "i4i.large", "ami-1", "123456789012", "eu-west-1", "eu-west-1a"});
}

TEST_CASE("identity document: whatever is not one is malformed, and said how") {
    const std::string bad[] = {"<html><body>Sign in</body></html>",
                               "",
                               "[]",
                               "null",
                               "{}",
                               document("x-0abc"),
                               document("i-0abc", "snap-1"),
                               document("i-0 abc"),
                               document("i-"),
                               document("i-0abc", "ami-"),
                               document(std::string(70, 'i')),
                               R"({"instanceId": 7})",
                               document().substr(0, 60),
                               document("i-\xff\xfe")};
    for (const auto& text : bad) {
        CAPTURE(text);
        const auto identity = parse_identity(text);
        REQUIRE_FALSE(identity);
        CHECK(identity.error().code == Errc::malformed);
        CHECK_THAT(identity.error().message, Catch::StartsWith("instance identity document: "));
    }
    const auto binary = parse_identity("\x01\xff\x80 is no JSON");
    REQUIRE_FALSE(binary);
    CHECK_THAT(binary.error().message, Catch::EndsWith("found \"??? is no JSON\""));
}

TEST_CASE("mapping names: sorted, once each, whatever ends the lines") {
    using Names = std::vector<std::string>;
    CHECK(parse_mapping_names("ami\nephemeral0\nroot") == Names{"ami", "ephemeral0", "root"});
    CHECK(parse_mapping_names("root\r\nami\r\n") == Names{"ami", "root"});
    CHECK(parse_mapping_names("root\nami\nroot\n") == Names{"ami", "root"});
}

TEST_CASE("mapping names: empty is empty, and HTML is not a list") {
    CHECK(parse_mapping_names("").error().code == Errc::empty);
    CHECK(parse_mapping_names(" \n").error().code == Errc::empty);
    for (const char* text : {"<html>\n<body>", "ami\n\nroot", "ami/", "../../token", "a b"}) {
        CAPTURE(text);
        const auto names = parse_mapping_names(text);
        REQUIRE_FALSE(names);
        CHECK(names.error().code == Errc::malformed);
    }
    std::string many;
    for (int i = 0; i < 129; ++i)
        many += "ebs" + std::to_string(i) + "\n";
    CHECK_FALSE(parse_mapping_names(many));
}

TEST_CASE("mapping device: with and without /dev/") {
    CHECK(parse_mapping_device("sdb") == "sdb");
    CHECK(parse_mapping_device("/dev/sda1\n") == "sda1");
    CHECK(parse_mapping_device(" xvdba\r\n") == "xvdba");
    for (const char* text : {"", "\n", "/dev/", "/dev/mapper/x", "sdb sdc", "sdb\nsdc", "<html>",
                             "/etc/passwd", "..", "s\xffq"}) {
        CAPTURE(text);
        const auto device = parse_mapping_device(text);
        REQUIRE_FALSE(device);
        CHECK(device.error().code == Errc::malformed);
    }
}
