// What is wrong with a value, alone or beside others, and what is said of it.
#include "agent/config/config.h"
#include "tests/agent/config_cases.h"
#include "tests/catch.h"

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("values that are not what was expected") {
    check_each({
        {R"({"mode": "obey"})", R"(mode: found "obey", expected "enforce" or "observe")"},
        {R"({"mode": true})", R"(mode: found true, expected "enforce" or "observe")"},
        {R"({"deadline": 300})", "deadline: found 300, expected " + kDuration},
        {R"({"deadline": "0s"})", "deadline: found \"0s\", expected " + kDuration},
        {R"({"deadline": "49h"})", "deadline: found \"49h\", expected " + kDuration},
        {R"({"metadata": "x"})", "metadata: found \"x\", expected an object: { ... }"},
        {R"({"metadata": {"confirmations": true}})",
         "metadata.confirmations: found true, expected a whole number between 1 and 100"},
        {R"({"metadata": {"confirmations": 3.0}})",
         "metadata.confirmations: found 3.0, expected a whole number between 1 and 100"},
        {R"({"metadata": {"confirmations": "3"}})",
         "metadata.confirmations: found \"3\", expected a whole number between 1 and 100"},
        {R"({"metadata": {"confirmations": 0}})",
         "metadata.confirmations: found 0, expected a whole number between 1 and 100"},
        {R"({"metadata": {"imdsv1": 1}})", "metadata.imdsv1: found 1, expected true or false"},
        {R"({"metadata": {"endpoint": "https://169.254.169.254"}})",
         "metadata.endpoint: found \"https://169.254.169.254\", expected http:// and a host alone, "
         "such as http://169.254.169.254"},
        {R"({"ephemeral": {"expect": "all"}})",
         "ephemeral.expect: found \"all\", expected " + kExpect},
        {R"({"ephemeral": {"volume_group": "-vg"}})",
         "ephemeral.volume_group: found \"-vg\", expected a volume group name" + kLvmName},
        {R"({"ephemeral": {"volume_group": "shm"}})",
         "ephemeral.volume_group: found \"shm\", expected a volume group name that is not there in "
         "/dev already"},
        {R"({"ephemeral": {"volumes": {"scratch": "100%"}}})",
         "ephemeral.volumes.scratch: found \"100%\", expected an object: { ... }"},
        {volume(R"("size": "0%")"),
         "ephemeral.volumes.scratch.size: found \"0%\", expected a whole share of the volume group "
         "such as \"100%\", from 1% to 100%, or a size such as \"100GiB\", between 4MiB and "
         "1024TiB"},
        {volume(R"("layout": "raid0")"), "ephemeral.volumes.scratch.layout: found \"raid0\", "
                                         "expected \"striped\" or \"linear\""},
        {volume(R"("stripe_size": "192KiB")"),
         "ephemeral.volumes.scratch.stripe_size: found \"192KiB\", expected a size that is a power "
         "of two such as \"256KiB\", between 4KiB and 1MiB"},
        {volume(R"("mount": "scratch")"),
         "ephemeral.volumes.scratch.mount: found \"scratch\", expected " + kPath},
        {volume(R"("mount": "/mnt/../etc")"),
         "ephemeral.volumes.scratch.mount: found \"/mnt/../etc\", expected " + kPath},
        {volume(R"("mount": "/")"),
         "ephemeral.volumes.scratch.mount: found \"/\", expected " + kPath},
        {volume(R"("mount": "/proc/x")"),
         "ephemeral.volumes.scratch.mount: found \"/proc/x\", expected " + kFolder},
        {volume(R"("mount": "/run")"), // would hide /run/muster
         "ephemeral.volumes.scratch.mount: found \"/run\", expected " + kFolder},
        {volume(R"("options": "noatime")"),
         "ephemeral.volumes.scratch.options: found \"noatime\", expected a list of mount options "
         "such as [\"noatime\"]"},
        {volume(R"("options": ["noatime,nodev"])"),
         "ephemeral.volumes.scratch.options: found [\"noatime,nodev\"], expected one mount option "
         "an entry, without commas or white space"},
        {volume(R"("options": ["ro"])"), "ephemeral.volumes.scratch.options: found [\"ro\"], "
                                         "expected no option \"ro\": muster controls that itself"},
        {volume(R"("options": ["nofail"])"),
         "ephemeral.volumes.scratch.options: found [\"nofail\"], expected no option \"nofail\": it "
         "means something in fstab only"},
        {volume(R"("mode": "1888")"), "ephemeral.volumes.scratch.mode: found \"1888\", expected "
                                      "permissions in octal digits such as \"1777\" or \"0755\""},
        {volume(R"("owner": "root")"),
         "ephemeral.volumes.scratch.owner: found \"root\", expected \"USER:GROUP\", names or "
         "numbers, such as \"root:root\" or \"1000:1000\""},
        {volume_called("a b"), "ephemeral.volumes.\"a b\": found the name \"a b\", expected a "
                               "volume name" +
                                   kLvmName},
        {ebs(R"("device": "sdf")"), "ebs.data.device: found \"sdf\", expected a name of the "
                                    "block-device mapping, such as \"/dev/sdf\" or \"/dev/xvdf\""},
        {ebs(R"("volume_id": "vol-123")"), "ebs.data.volume_id: found \"vol-123\", expected a "
                                           "volume id such as \"vol-0123456789abcdef0\""},
        {ebs(R"("device": "/dev/sdf", "polls": ["2s", "1s"])"),
         "ebs.data.polls: found [\"2s\",\"1s\"]" + kMoments},
        {ebs(R"("device": "/dev/sdf", "polls": [])"), "ebs.data.polls: found []" + kMoments},
        {ebs(R"("device": "/dev/sdf", "polls": "1s")"), "ebs.data.polls: found \"1s\"" + kMoments},
        {ebs(R"("device": "/dev/sdf", "polls": ["0s"])"),
         "ebs.data.polls: found [\"0s\"]" + kMoments},
        {ebs(R"("device": "/dev/sdf", "polls": ["1s", "49h"])"),
         "ebs.data.polls: found [\"1s\",\"49h\"]" + kMoments},
        {ebs(R"("device": "/dev/sdf", "polls": ["1s", 2])"),
         "ebs.data.polls: found [\"1s\",2]" + kMoments},
        {ebs(R"("device": "/dev/sdf", "min_size": "100GB")"),
         "ebs.data.min_size: found \"100GB\", expected a size such as \"512MiB\" or \"100GiB\", "
         "between 1MiB and 64TiB"},
        {R"({"ebs": ["/dev/sdf"]})", "ebs: found [\"/dev/sdf\"], expected an object of named "
                                     "entries: { \"NAME\": { ... } }"},
        {R"({"root": {"min_free": "100%"}})", "root.min_free: found \"100%\", expected a share "
                                              "such as \"5%\", from 0% to 99%, or a size "
                                              "such as \"10GiB\""},
        {R"({"root": {"min_free_inodes": -1}})",
         "root.min_free_inodes: found -1, expected a share such as \"5%\", from 0% to 99%, or a "
         "whole number of inodes"},
        {check(R"("command": ["nginx", "-t"])"), "checks.a.command: found an array, " + kCommand},
        {check(R"("command": [])"), "checks.a.command: found an array, " + kCommand},
        {check(R"("command": ["/bin/x", 3])"), "checks.a.command: found an array, " + kCommand},
        {check(R"("command": ["/bin/x", null])"), "checks.a.command: found an array, " + kCommand},
        {check(R"("command": ["/bin/x", "a\u0000b"])"),
         "checks.a.command: found an array, " + kCommand},
        {check(R"("command": ["/bin/x", ")" + std::string(4097, 'x') + "\"]"),
         "checks.a.command: found an array, " + kCommand},
        {check(R"("command": "/bin/x --password")"),
         "checks.a.command: found a text of 17 bytes (not shown), " + kCommand},
        {check(R"("command": ["/bin/x"], "deadline": "0s")"),
         "checks.a.deadline: found \"0s\", expected " + kDuration},
        {check(R"("command": ["/bin/x"], "required": 1)"),
         "checks.a.required: found 1, expected true or false"},
        {check(R"("command": ["/bin/x"], "recreate": "no")"),
         "checks.a.recreate: found \"no\", expected true or false"},
        {R"({"checks": {"required.d/a": {"command": ["/bin/x"]}}})",
         "checks.\"required.d/a\": found the name \"required.d/a\", expected a name of up to 64 "
         "letters, digits, _ and -"},
        {sink(R"("type": "pager")"),
         "report.to.s.type: found \"pager\", expected \"webhook\", \"file\", \"autoscaling\", "
         "\"cloudformation\", \"ec2-tags\", \"sqs\" or \"eventbridge\""},
        {sink(R"("type": "webhook", "url": "ftp://h")"),
         "report.to.s.url: found \"ftp://h\", expected an address that begins with https:// or "
         "http://"},
        {sink(R"("type": "webhook", "url": "https://:443/x")"),
         "report.to.s.url: found \"https://:443/...\", expected an address with a host, such as "
         "https://scaler.example/v1/reports"},
        {webhook(R"("required": "yes")"),
         "report.to.s.required: found \"yes\", expected true or false"},
        {sink(R"("type": "file", "path": "r.json")"),
         "report.to.s.path: found \"r.json\", expected " + kPath},
        {sink(R"("type": "file", "path": "/dev/sdb")"),
         "report.to.s.path: found \"/dev/sdb\", expected the path of a plain file, not beneath "
         "/proc, /sys or /dev"},
        {R"({"mode": ")" + std::string(100, 'x') + "\"}",
         "mode: found \"" + std::string(56, 'x') + R"(..., expected "enforce" or "observe")"},
    });
}

TEST_CASE("rules between keys") {
    check_each({
        {R"({"deadline": "60s"})", "report.deadline: found \"60s\", expected less than `deadline`, "
                                   "which is \"60s\""},
        {volume(R"("filesystem": "none")"),
         "ephemeral.volumes.scratch.mount: found \"/mnt/scratch\", expected null, since "
         "`filesystem` is \"none\""},
        {volume(R"("mount": null)"),
         "ephemeral.volumes.scratch.mount: found nothing, expected a mount point such as "
         "\"/mnt/scratch\", since there is a filesystem"},
        {volume(R"("size": "299MiB")"), "ephemeral.volumes.scratch.size: found \"299MiB\", "
                                        "expected at least 300MiB, the least for xfs"},
        {R"({"ephemeral": {"volumes": {"more": {"size": "1%", "mount": "/mnt/more"}}}})",
         "ephemeral.volumes: found shares of 101% together, expected at most 100%"},
        {R"({"ephemeral": {"volumes": {"scratch": {"size": "50%"},
                                          "z": {"size": "50%", "mount": "/mnt/scratch"}}}})",
         "ephemeral.volumes.z.mount: found \"/mnt/scratch\", expected a mount point apart from "
         "\"/mnt/scratch\" of the volume \"scratch\""},
        {R"({"ephemeral": {"volumes": {"scratch": {"size": "50%"},
                                          "a": {"size": "1GiB", "mount": "/mnt/scratch/a"}}}})",
         "ephemeral.volumes.scratch.mount: found \"/mnt/scratch\", expected a mount point apart "
         "from \"/mnt/scratch/a\" of the volume \"a\""},
        {R"({"ephemeral": {"volumes": {"more": {"size": "1GiB", "mount": "/mnt/more"}}}})",
         "ephemeral.volumes: found shares of 100% together and volumes of a fixed size besides, "
         "expected shares that leave room for these"},
        {R"({"ephemeral": {"volume_group": ")" + std::string(120, 'g') + "\"}}",
         "ephemeral.volumes.scratch: found a name that makes more than 127 characters together "
         "with the volume group's (a hyphen counts twice), expected a shorter one"},
        {ebs(R"("min_size": "1GiB")"),
         "ebs.data: found neither `device` nor `volume_id`, expected one of them"},
        {R"({"ebs": {"a": {"device": "/dev/sdf"}, "b": {"device": "/dev/sdf"}}})",
         "ebs.b.device: found \"/dev/sdf\", expected one that is not that of \"a\""},
        {R"({"ebs": {"a": {"volume_id": "vol-01234567"}, "b": {"volume_id": "vol01234567"}}})",
         "ebs.b.volume_id: found \"vol-01234567\", expected one that is not that of \"a\""},
        {check(R"("deadline": "5s")"), "checks.a.command: found nothing, " + kCommand},
        {sink(R"("required": true)"),
         "report.to.s.type: found nothing, expected \"webhook\", \"file\", \"autoscaling\", "
         "\"cloudformation\", \"ec2-tags\", \"sqs\" or \"eventbridge\""},
        {sink(R"("type": "webhook")"), "report.to.s.url: found nothing, expected an https:// or "
                                       "http:// address, since `type` is \"webhook\""},
        {sink(R"("type": "file", "path": "/r", "url": "https://h")"),
         "report.to.s.url: found a key of type \"webhook\", but the type of this sink is \"file\"; "
         "null takes it away"},
        {webhook(R"("client_key": "/k")"), "report.to.s.client_certificate: found nothing, "
                                           "expected a path, since `client_key` is set"},
        {webhook(R"("client_certificate": "/c")"), "report.to.s.client_key: found nothing, "
                                                   "expected a path, since `client_certificate` is "
                                                   "set"},
        {sink(R"("type": "webhook", "url": "http://h", "ca_file": "/c")"),
         "report.to.s.ca_file: found a key of https, but `url` is http://"},
        {sink(R"("type": "webhook", "url": "http://h", "identity": true)"),
         "report.to.s.identity: found true, expected false, since `url` is http://: whoever reads "
         "it there can pass for the instance"},
        {R"({"report": {"to": {"a": {"type": "file", "path": "/r"},
                               "b": {"type": "file", "path": "/r"}}}})",
         "report.to.b.path: found \"/r\", expected another file than that of \"a\""},
    });
}

TEST_CASE("sinks of AWS") {
    const auto config =
        valid({R"({"metadata": {"endpoint": "http://127.0.0.1:8"}, "hold": {"tag": "keep"},
            "report": {"to": {
              "a": {"type": "autoscaling", "group": "the group", "hook": "h"},
              "b": {"type": "cloudformation", "stack": "s", "resource": "R", "region": "us-east-1"},
              "c": {"type": "ec2-tags"},
              "d": {"type": "sqs", "queue_url": "https://sqs.eu-west-1.amazonaws.com/1/q"},
              "e": {"type": "eventbridge", "endpoint": "https://vpce-1.example", "required": true}
            }}})"});
    using Type = SinkConfig::Type;
    const auto& to = config.report.to;
    REQUIRE(to.size() == 5);
    CHECK(to[0].type == Type::autoscaling);
    CHECK((to[0].group == "the group" && to[0].hook == "h" && to[0].region.empty()));
    CHECK(to[0].metadata.endpoint == "http://127.0.0.1:8");
    CHECK(to[0].hold.tag == "keep");
    CHECK(to[1].type == Type::cloudformation);
    CHECK((to[1].stack == "s" && to[1].resource == "R" && to[1].region == "us-east-1"));
    CHECK((to[2].type == Type::ec2_tags && to[2].prefix == "muster:"));
    CHECK((to[3].type == Type::sqs && !to[3].queue_url.empty()));
    CHECK((to[4].type == Type::eventbridge && to[4].bus == "default" && to[4].required));
    CHECK(to[4].endpoint == "https://vpce-1.example");
    for (const auto& [at, acts] :
         {std::pair(0, true), {1, true}, {2, true}, {3, false}, {4, false}})
        CHECK(to[static_cast<std::size_t>(at)].acting() == acts);
    check_each({
        {sink(R"("type": "sqs")"),
         "report.to.s.queue_url: found nothing, expected an https:// address, since `type` is "
         "\"sqs\""},
        {sink(R"("type": "sqs", "queue_url": "http://sqs.example/q")"),
         "report.to.s.queue_url: found \"http://sqs.example/...\", expected an https:// address"},
        {sink(R"("type": "ec2-tags", "prefix": "aws:x")"),
         "report.to.s.prefix: found \"aws:x\", expected a text of at most 64 characters without "
         "spaces or \"/\", not beginning with \"aws:\""},
        {sink(R"("type": "ec2-tags", "region": "EU")"),
         "report.to.s.region: found \"EU\", expected a region such as \"eu-west-1\""},
        {sink(R"("type": "ec2-tags", "group": "g")"),
         "report.to.s.group: found a key of type \"autoscaling\", but the type of this sink is "
         "\"ec2-tags\"; null takes it away"},
    });
}

TEST_CASE("on_failure, and the identity that a sink asks for") {
    auto config = valid({"{}"});
    CHECK(config.on_failure.action == OnFailureConfig::Action::none);
    CHECK(config.on_failure.delay == 60s);
    config = valid({R"({"on_failure": {"action": "poweroff", "delay": "5m"}})",
                    webhook(R"("identity": true)")});
    CHECK(config.on_failure.action == OnFailureConfig::Action::poweroff);
    CHECK(config.on_failure.delay == 5min);
    CHECK(config.report.to.at(0).identity);
    CHECK_FALSE(valid({webhook(R"("identity": false)")}).report.to.at(0).identity);
}

TEST_CASE("hold") {
    auto config = valid({"{}"});
    CHECK(config.hold.file == "/run/muster/hold");
    CHECK(config.hold.tag == "muster:hold");
    config = valid({R"({"hold": {"file": "/run/keep", "tag": "team:keep"}})"});
    CHECK(config.hold.file == "/run/keep");
    CHECK(config.hold.tag == "team:keep");
    const std::string tag = ", expected a tag's key of at most 128 characters without spaces or "
                            "\"/\"";
    check_each({
        {R"({"hold": {"file": "/etc/hold"}})",
         "hold.file: found \"/etc/hold\", expected a path beneath /run, such as "
         "/run/muster/hold"},
        {R"({"hold": {"file": "/run"}})",
         "hold.file: found \"/run\", expected a path beneath /run, such as /run/muster/hold"},
        {R"({"hold": {"file": "/run/../etc/hold"}})",
         "hold.file: found \"/run/../etc/hold\", expected an absolute path without \".\", \"..\", "
         "\"//\" or a \"/\" at its end"},
        {R"({"hold": {"tag": "a b"}})", "hold.tag: found \"a b\"" + tag},
        {R"({"hold": {"tag": "a/b"}})", "hold.tag: found \"a/b\"" + tag},
        {R"({"hold": {"tag": ""}})", "hold.tag: found \"\"" + tag},
    });
}

TEST_CASE("watch and metrics") {
    auto config = valid({"{}"});
    CHECK(config.watch.interval == 30s);
    CHECK(config.watch.bad == 3);
    CHECK(config.watch.of == 5);
    CHECK(config.watch.heartbeat == 5min);
    CHECK(config.metrics_textfile == std::nullopt);
    config = valid({R"({"watch": {"interval": "10s", "bad": 2, "of": 2, "heartbeat": "1m"},
                        "metrics": {"textfile": "/x.prom"}})"});
    CHECK(config.watch.interval == 10s);
    CHECK(config.watch.bad == 2);
    CHECK(config.watch.of == 2);
    CHECK(config.watch.heartbeat == 1min);
    CHECK(config.metrics_textfile == "/x.prom");
    check_each({
        {R"({"watch": {"bad": 6}})", "watch.bad: found 6, expected at most `watch.of`, which is 5"},
        {R"({"watch": {"of": 2}})", "watch.bad: found 3, expected at most `watch.of`, which is 2"},
    });
    valid({R"({"watch": {"bad": 6}})", R"({"watch": {"of": 6}})"});
}

TEST_CASE("names that LVM keeps for itself") {
    for (const std::string name : {"snapshot1", "pvmove0", "a_mlog", "a_mimage_0", "x_rmeta_1",
                                   "x_cvol", "x_tdata", "lvol0_pmspare", ".", "..", "-a"}) {
        CAPTURE(name);
        CHECK(mistakes({volume_called(name)}).size() == 1);
    }
    CHECK(mistakes({volume_called("a_mlog")}) ==
          std::vector<std::string>{"1: ephemeral.volumes.a_mlog: found the name \"a_mlog\", "
                                   "expected a volume name without \"_mlog\", which LVM keeps for "
                                   "itself"});
    const auto config = valid({volume_called("my.snapshot+1")});
    CHECK(config.ephemeral.layout.volumes.at(0).name == "my.snapshot+1");
}
