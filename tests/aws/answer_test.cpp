#include "agent/aws/answer.h"
#include "agent/aws/endpoint.h"
#include "agent/aws/xml.h"
#include "tests/catch.h"

using namespace muster;
using namespace muster::aws;
using namespace std::chrono_literals;

TEST_CASE("xml: what AWS uses of it") {
    const auto root = parse_xml("<?xml version=\"1.0\"?>\n<!-- note --><R xmlns=\"a>b\" x='/'>\n"
                                " <Code> a &amp; b&#38;&#x20ac; </Code><E/><E a=\"1\" />"
                                "<L><m>1</m><m>2</m></L></R>\n");
    REQUIRE(root);
    CHECK(root->name == "R");
    CHECK(root->text_of("Code") == "a & b&\xe2\x82\xac");
    REQUIRE(root->child("L") != nullptr);
    CHECK(root->child("L")->children.size() == 2);
    CHECK(root->child("L")->text_of("m") == "1");
    CHECK(root->child("none") == nullptr);
    CHECK(root->text_of("none").empty());
}

TEST_CASE("xml: what is none is malformed, and told in part") {
    std::string deep;
    for (int i = 0; i < 21; ++i)
        deep += "<a>";
    std::string many = "<r>";
    for (int i = 0; i < 10000; ++i)
        many += "<a/>";
    for (const auto& text :
         {std::string(), std::string("x"), std::string("<a>"), std::string("<a></b>"),
          std::string("<a></a><b/>"), std::string("<a>&nbsp;</a>"), std::string("<a>&amp</a>"),
          std::string("<a>&#xd800;</a>"), std::string("<a>&#0;</a>"), std::string("<a b=\"></a>"),
          std::string("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"), std::string("<a <b/>></a>"),
          std::string("<a><![CDATA[x]]></a>"), std::string("<a"), std::string("<!-- <a/>"), deep,
          many + "</r>"}) {
        const auto root = parse_xml(text);
        INFO(text.substr(0, 100));
        REQUIRE_FALSE(root);
        CHECK(root.error().code == Errc::malformed);
        CHECK(root.error().message.size() < 200);
    }
}

TEST_CASE("answers: errors of the three forms") {
    const ServiceError denied{"AccessDenied", "no & never"};
    for (const char* text :
         {"<ErrorResponse "
          "xmlns=\"u\"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no "
          "&amp; never</Message></Error><RequestId>1</RequestId></ErrorResponse>",
          "<Response><Errors><Error><Code>AccessDenied</Code><Message>no &amp; never</Message>"
          "</Error></Errors></Response>",
          R"({"__type": "com.amazon.x#AccessDenied", "message": "no & never"})",
          R"({"__type": "AccessDenied:http://u", "Message": "no & never"})"}) {
        INFO(text);
        const auto error = parse_service_error(text);
        REQUIRE(error.has_value());
        CHECK(*error == denied);
    }
    for (const char* text :
         {"", "<html><body>403</body></html>", "{}", "{", "[]", R"({"__type": 3})",
          "<ErrorResponse><Error><Message>m</Message></Error></ErrorResponse>"})
        CHECK_FALSE(parse_service_error(text).has_value());
    const auto odd = parse_service_error("{\"__type\": \"A\\u001b[2J\", \"message\": \"" +
                                         std::string(2000, 'x') + "\"}");
    REQUIRE(odd.has_value());
    CHECK(odd->code == "A?[2J");
    CHECK(odd->message.size() == 500);
}

TEST_CASE("answers: what each error means") {
    struct Row {
        int status;
        const char* code;
        Meaning meaning;
    };
    for (const auto& [status, code, meaning] :
         {Row{400, "Throttling", Meaning::again}, Row{503, "RequestLimitExceeded", Meaning::again},
          Row{400, "ResourceContention", Meaning::again}, Row{500, "Whatever", Meaning::again},
          Row{429, "", Meaning::again}, Row{403, "InvalidClientTokenId", Meaning::again},
          Row{401, "AuthFailure", Meaning::again},
          Row{400, "InvalidInstanceID.NotFound", Meaning::again},
          Row{403, "SignatureDoesNotMatch", Meaning::clock},
          Row{400, "RequestExpired", Meaning::clock},
          Row{403, "ExpiredToken", Meaning::credentials},
          Row{400, "ExpiredTokenException", Meaning::credentials},
          Row{403, "AccessDenied", Meaning::denied},
          Row{403, "UnauthorizedOperation", Meaning::denied},
          Row{400, "AccessDeniedException", Meaning::denied},
          Row{400, "ValidationError", Meaning::wrong}, Row{400, "", Meaning::wrong},
          Row{403, "", Meaning::wrong}, Row{302, "", Meaning::wrong}}) {
        INFO(status << " " << code);
        CHECK(meaning_of(status, {code, ""}) == meaning);
    }
}

TEST_CASE("answers: where an instance stands, and the hooks of a launch") {
    const std::string member =
        "<DescribeAutoScalingInstancesResponse><DescribeAutoScalingInstancesResult>"
        "<AutoScalingInstances><member><InstanceId>i-2</InstanceId></member><member><InstanceId>i-1"
        "</InstanceId><AutoScalingGroupName>g</AutoScalingGroupName><LifecycleState>Pending:Wait"
        "</LifecycleState></member></AutoScalingInstances></DescribeAutoScalingInstancesResult>"
        "</DescribeAutoScalingInstancesResponse>";
    CHECK(parse_group_member(member, "i-1").value().value() == GroupMember{"g", "Pending:Wait"});
    CHECK_FALSE(parse_group_member(member, "i-3").value().has_value());
    CHECK_FALSE(parse_group_member(member, "i-2").has_value());
    CHECK_FALSE(parse_group_member("<a/>", "i-1").has_value());

    const std::string hooks =
        "<DescribeLifecycleHooksResponse><DescribeLifecycleHooksResult><LifecycleHooks><member>"
        "<LifecycleHookName>a</LifecycleHookName><LifecycleTransition>autoscaling:"
        "EC2_INSTANCE_TERMINATING</LifecycleTransition></member><member><LifecycleHookName>b"
        "</LifecycleHookName><LifecycleTransition>autoscaling:EC2_INSTANCE_LAUNCHING"
        "</LifecycleTransition><HeartbeatTimeout>300</HeartbeatTimeout></member></LifecycleHooks>"
        "</DescribeLifecycleHooksResult></DescribeLifecycleHooksResponse>";
    CHECK(parse_launch_hooks(hooks).value() == std::vector{LaunchHook{"b", 300s}});
    CHECK_FALSE(parse_launch_hooks("<DescribeLifecycleHooksResponse/>").has_value());
}

TEST_CASE("answers: of PutEvents") {
    CHECK_FALSE(parse_put_events(R"({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})")
                    .value()
                    .has_value());
    const auto failed = parse_put_events(
        R"({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "m"}]})");
    CHECK(failed.value().value() == ServiceError{"InternalFailure", "m"});
    for (const char* text : {"", "{}", R"({"Entries": []})", R"({"Entries": [{}]})",
                             R"({"Entries": [1]})", R"({"Entries": [{}, {}]})"})
        CHECK_FALSE(parse_put_events(text).has_value());
}

TEST_CASE("endpoints") {
    CHECK(endpoint_of("ec2", "cn-north-1", "amazonaws.com.cn") ==
          "https://ec2.cn-north-1.amazonaws.com.cn/");
    CHECK(normal_url("HTTPS://VPCE-1.Example:8443") == "https://vpce-1.example:8443/");
    CHECK(normal_url("https://Sqs.example/1234/MyQueue?A") == "https://sqs.example/1234/MyQueue?A");
    for (const auto& [url, region] :
         {std::pair("https://sqs.eu-west-1.amazonaws.com/1234/q", "eu-west-1"),
          {"https://eu-west-1.queue.amazonaws.com/1234/q", "eu-west-1"},
          {"https://queue.amazonaws.com/1234/q", "us-east-1"},
          {"https://sqs.amazonaws.com/1234/q", "us-east-1"},
          {"https://sqs-fips.us-gov-west-1.amazonaws.com/1/q", "us-gov-west-1"},
          {"https://sqs.cn-north-1.amazonaws.com.cn/1/q", "cn-north-1"},
          {"https://vpce-0a1b-2c3d.sqs.us-east-1.vpce.amazonaws.com/1/q", "us-east-1"},
          {"https://queue.example/1/q", ""},
          {"https://127.0.0.1:8443/1/q", ""}}) {
        INFO(url);
        CHECK(region_of_queue(url) == region);
    }
    CHECK(is_region("eu-west-1"));
    CHECK(is_domain("amazonaws.com.cn"));
    for (const char* bad : {"", "a/b", "a b", "a@b", "A", "a:80", "<html>"}) {
        CHECK_FALSE(is_region(bad));
        CHECK_FALSE(is_domain(bad));
    }
    CHECK_FALSE(is_region("a.b"));
    CHECK_FALSE(is_domain("a..b"));
}
