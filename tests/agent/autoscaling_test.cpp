// A launch hook and its group on a fake clock, with every call of the sink failing in every way.
#include <functional>

#include "agent/delivery/courier.h"
#include "agent/sinks/aws_sink.h"
#include "tests/catch.h"
#include "tests/fakes/fake_instance.h"

using namespace muster;
using namespace std::chrono_literals;

namespace {

const std::atomic<bool> never = false;

/// The group that i-1 is being launched into, as its API shows it.
struct Group : FakeInstance {
    Group() {
        tree["meta-data/tags/instance/aws:autoscaling:groupName"] = "workers";
        answer = [this](const HttpRequest& request) { return serve(request); };
    }

    Result<HttpResponse> serve(const HttpRequest& request) {
        if (request.method == "GET") return FakeHttp::answer(404); // it only opens the connection
        const auto from = request.body.find('=') + 1;
        const auto action = request.body.substr(from, request.body.find('&') - from);
        calls.push_back(action);
        if (calls.size() - 1 == fails_at) return failure;
        if (clock.now() - clock.begin >= waits_from && !answered && health.empty()) waiting = true;
        if (action == "DescribeLifecycleHooks") return described();
        if (action == "DescribeAutoScalingInstances") return member();
        if (action == "SetInstanceHealth") {
            CHECK(request.body.find("&ShouldRespectGracePeriod=false") != std::string::npos);
            health = request.body.find("&HealthStatus=Unhealthy") != std::string::npos ? "Unhealthy"
                                                                                       : "?";
            return FakeHttp::answer(200, "<ok/>");
        }
        if (!waiting) {
            return FakeHttp::answer(400,
                                    error_xml("ValidationError", "No active Lifecycle Action found "
                                                                 "with instance ID i-1"));
        }
        CHECK(request.body.find("&LifecycleHookName=ready&") != std::string::npos);
        if (action == "RecordLifecycleActionHeartbeat") {
            ++beats;
        } else {
            REQUIRE(action == "CompleteLifecycleAction");
            answered = request.body.find("=ABANDON") != std::string::npos ? "ABANDON" : "CONTINUE";
            waiting = false;
        }
        return FakeHttp::answer(200, "<ok/>");
    }
    [[nodiscard]] HttpResponse described() const {
        std::string list;
        for (const auto& [name, timeout] : hooks) {
            list += "<member><LifecycleHookName>" + name +
                    "</LifecycleHookName><LifecycleTransition>autoscaling:EC2_INSTANCE_LAUNCHING"
                    "</LifecycleTransition><HeartbeatTimeout>" +
                    timeout + "</HeartbeatTimeout></member>";
        }
        return FakeHttp::answer(200, "<DescribeLifecycleHooksResponse>"
                                     "<DescribeLifecycleHooksResult><LifecycleHooks>" +
                                         list +
                                         "</LifecycleHooks></DescribeLifecycleHooksResult>"
                                         "</DescribeLifecycleHooksResponse>");
    }
    [[nodiscard]] HttpResponse member() const {
        const std::string state = waiting ? "Pending:Wait" : answered ? "InService" : "Pending";
        return FakeHttp::answer(
            200, "<DescribeAutoScalingInstancesResponse><DescribeAutoScalingInstancesResult>"
                 "<AutoScalingInstances><member><InstanceId>i-1</InstanceId><AutoScalingGroupName>"
                 "workers</AutoScalingGroupName><LifecycleState>" +
                     (in_service ? "InService" : state) +
                     "</LifecycleState></member></AutoScalingInstances>"
                     "</DescribeAutoScalingInstancesResult>"
                     "</DescribeAutoScalingInstancesResponse>");
    }

    std::unique_ptr<Sink> sink() {
        return make_autoscaling({.config = {.name = "group", .type = SinkConfig::Type::autoscaling},
                                 .files = files,
                                 .clock = clock,
                                 .http = std::make_unique<BorrowedHttp>(http),
                                 .metadata_http = std::make_unique<BorrowedHttp>(metadata_http),
                                 .metadata = {},
                                 .boot_id = "b"});
    }
    Delivery deliver(const std::string& changes, bool fresh = true) {
        auto body = nlohmann::json::parse(R"({"outcome": "failed", "boot_id": "b",
            "instance": {"id": "i-1"}, "recreate": true})");
        body.update(nlohmann::json::parse(changes));
        const auto to = sink();
        return deliver_with_retries(*to, {.body = body.dump(), .key = "k", .fresh = fresh}, clock,
                                    Deadline::in(clock, 60s),
                                    Schedule({.base = 500ms, .cap = 15s}, 1), never);
    }

    std::map<std::string, std::string> hooks{{"ready", "600"}}; ///< with their time-outs
    Duration waits_from{};                                      ///< when the group begins to wait
    bool waiting = false;
    bool in_service = false;         ///< the wait was over long ago
    std::size_t fails_at = SIZE_MAX; ///< this call, from 0, gets `failure`
    Result<HttpResponse> failure = fail(Errc::refused, "x");

    std::vector<std::string> calls;      ///< each action that was asked for
    std::optional<std::string> answered; ///< to the hook
    std::string health;
    int beats = 0;
    Files files;
};

using Calls = std::vector<std::string>;

} // namespace

TEST_CASE("autoscaling: what the group hears") {
    struct Row {
        const char* name;
        const char* changes;
        bool fresh;
        std::optional<std::string> waiting; ///< the answer while the hook waits
        std::string health;                 ///< in service
    };
    for (const auto& [name, changes, fresh, waiting, health] : {
             Row{"failed", "{}", true, "ABANDON", "Unhealthy"},
             Row{"ready", R"({"outcome": "ready"})", true, "CONTINUE", ""},
             Row{"ready, late", R"({"outcome": "ready"})", false, "CONTINUE", ""},
             Row{"failed, late", "{}", false, {}, ""},
             Row{"recreating is no help", R"({"recreate": false})", true, {}, ""},
             Row{"observe", R"({"enforced": false})", true, "CONTINUE", ""},
             Row{"of another boot", R"({"boot_id": "c"})", true, {}, ""},
             Row{"of another instance", R"({"instance": {"id": "i-2"}})", true, {}, ""},
             Row{"superseded", R"({"superseded": true})", true, {}, ""},
             Row{"of watch", R"({"outcome": "degraded"})", true, {}, ""},
         }) {
        INFO(name);
        Group group;
        CHECK(group.deliver(changes, fresh).delivered);
        CHECK(group.answered == waiting);
        CHECK(group.health.empty());

        Group serving;
        serving.waits_from = 24h;
        serving.in_service = true;
        CHECK(serving.deliver(changes, fresh).delivered);
        CHECK_FALSE(serving.answered);
        CHECK(serving.health == health);
    }
}

TEST_CASE("autoscaling: no more is asked of the group than is needed") {
    Group group;
    CHECK(group.deliver("{}").delivered);
    CHECK(group.calls == Calls{"DescribeLifecycleHooks", "CompleteLifecycleAction"});
    Group nothing;
    CHECK(nothing.deliver(R"({"recreate": false})").delivered);
    CHECK(nothing.calls.empty());
}

TEST_CASE("autoscaling: a boot that is quicker than its group") {
    for (const auto* changes : {"{}", R"({"outcome": "ready"})"}) {
        Group group;
        group.waits_from = 30s;
        CHECK(group.deliver(changes).delivered);
        CHECK(group.answered == (changes == std::string("{}") ? "ABANDON" : "CONTINUE"));
        CHECK(group.health.empty());
        CHECK(group.clock.elapsed() >= 30s);
    }
}

TEST_CASE("autoscaling: every call fails once, in every way that passes") {
    const auto throttled = FakeHttp::answer(400, FakeInstance::error_xml("Throttling"));
    const std::vector<Result<HttpResponse>> failures{
        fail(Errc::refused, "x"),
        fail(Errc::timed_out, "x"),
        fail(Errc::transient, "x"),
        throttled,
        FakeHttp::answer(503, "<html>"),
        FakeHttp::answer(403, FakeInstance::error_xml("InvalidClientTokenId")),
        FakeHttp::answer(400, FakeInstance::error_xml("ResourceContention"))};
    for (const bool in_service : {false, true}) {
        Group well;
        well.waits_from = in_service ? Duration(24h) : 0s;
        well.in_service = in_service;
        REQUIRE(well.deliver("{}").delivered);
        for (std::size_t at = 0; at < well.calls.size(); ++at) {
            for (const auto& failure : failures) {
                INFO(well.calls[at] << " (" << at << ") "
                                    << (failure ? failure->body : failure.error().message));
                Group group;
                group.waits_from = well.waits_from;
                group.in_service = in_service;
                group.fails_at = at;
                group.failure = failure;
                const auto delivery = group.deliver("{}");
                CHECK(delivery.delivered);
                CHECK(delivery.tries == 2);
                CHECK(group.answered == well.answered);
                CHECK(group.health == well.health);
            }
        }
    }
}

TEST_CASE("autoscaling: every call is denied: final, and which permission is missing") {
    Group well;
    well.waits_from = 24h;
    well.in_service = true;
    REQUIRE(well.deliver("{}").delivered);
    REQUIRE(well.calls.size() == 4);
    for (std::size_t at = 0; at < well.calls.size(); ++at) {
        INFO(well.calls[at]);
        Group group;
        group.waits_from = 24h;
        group.in_service = true;
        group.fails_at = at;
        group.failure = FakeHttp::answer(403, Group::error_xml("AccessDenied"));
        const auto delivery = group.deliver("{}");
        CHECK_FALSE(delivery.delivered);
        CHECK(delivery.tries == 1);
        CHECK(delivery.error.find("autoscaling:" + well.calls[at]) != std::string::npos);
        CHECK(group.health.empty());
    }
}

TEST_CASE("autoscaling: several hooks, and none named: another's is never answered") {
    Group group;
    group.hooks["of another"] = "60";
    const auto delivery = group.deliver("{}");
    CHECK_FALSE(delivery.delivered);
    CHECK(delivery.tries == 1);
    CHECK(delivery.error.find("2 launch hooks (of another, ready)") != std::string::npos);
    CHECK(group.calls == Calls{"DescribeLifecycleHooks"});
}

TEST_CASE("autoscaling: heartbeats, at a third of the hook's time") {
    for (const auto& [timeout, every] : {std::pair<const char*, Duration>{"30", 10s},
                                         {"3", 10s},
                                         {"600", 200s},
                                         {"7200", 5min},
                                         {"x", 20s}}) {
        INFO(timeout);
        Group group;
        group.hooks["ready"] = timeout;
        const auto sink = group.sink();
        CHECK(sink->heartbeat() == 0s); // the hook is not known yet
        const Message message{
            .body = R"({"outcome": "in-progress", "boot_id": "b", "instance": {"id": "i-1"}})"};
        CHECK(sink->deliver(message, 10s));
        CHECK(sink->deliver(message, 10s));
        CHECK(group.beats == 2);
        CHECK(sink->heartbeat() == every);
        CHECK(group.calls == Calls{"DescribeLifecycleHooks", "RecordLifecycleActionHeartbeat",
                                   "RecordLifecycleActionHeartbeat"});
    }
    Group none;
    none.hooks.clear();
    const auto sink = none.sink();
    CHECK(sink->deliver({.body = R"({"outcome": "in-progress", "boot_id": "b"})"}, 10s));
    CHECK(sink->heartbeat() == 0s);
    CHECK(none.beats == 0);
}
