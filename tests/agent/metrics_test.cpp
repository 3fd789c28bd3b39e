#include "agent/watch/metrics.h"
#include "tests/catch.h"

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("metrics: the whole file, to the byte") {
    const Numbers numbers{.up = true,
                          .findings = {probes::pass("root", "mount", "well"),
                                       probes::failed("ebs", "a\"b\\c\nd", "ebs-stuck", "no"),
                                       probes::unknown("ebs", "data", "who knows"),
                                       probes::pass("ebs", "data", "twice")},
                          .degraded = true,
                          .last_look = WallTime(1'764'057'600'045ms),
                          .delivered = 7,
                          .undelivered = 2,
                          .metadata_requests = 31};
    CHECK(metrics_text(numbers) ==
          R"(# HELP muster_up 1: muster watch runs; 0: it was told to stop.
# TYPE muster_up gauge
muster_up 1
# HELP muster_check_status 1: the last look at it passed; 0: it failed or can't be told.
# TYPE muster_check_status gauge
muster_check_status{check="ebs",subject="a\"b\\c\nd"} 0
muster_check_status{check="ebs",subject="data"} 0
muster_check_status{check="root",subject="mount"} 1
# HELP muster_degraded 1: something is bad and has been for some looks.
# TYPE muster_degraded gauge
muster_degraded 1
# HELP muster_last_look_timestamp_seconds When the last look ended.
# TYPE muster_last_look_timestamp_seconds gauge
muster_last_look_timestamp_seconds 1764057600.045
# HELP muster_reports_delivered_total Reports delivered, each sink's.
# TYPE muster_reports_delivered_total counter
muster_reports_delivered_total 7
# HELP muster_reports_undelivered Reports that wait for their sink, or were refused by it.
# TYPE muster_reports_undelivered gauge
muster_reports_undelivered 2
# HELP muster_metadata_requests_total Requests to the instance metadata service, those for tokens too.
# TYPE muster_metadata_requests_total counter
muster_metadata_requests_total 31
)");
}

TEST_CASE("metrics: before the first look, and after the last") {
    const auto text = metrics_text({.up = false});
    CHECK_THAT(text, Catch::Contains("\nmuster_up 0\n"));
    CHECK(text.find("muster_check_status") == std::string::npos);
    CHECK(text.find("muster_last_look") == std::string::npos);
}
