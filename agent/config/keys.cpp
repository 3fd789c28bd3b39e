#include "agent/config/keys.h"

namespace muster {

namespace {

using namespace std::chrono_literals;
using Node = Key::Node;

// No deadline is longer than a lifecycle hook of an Auto Scaling group can wait at the most.
constexpr Duration kLongest = 48h;

Kind deadline() {
    return kinds::duration(1s, kLongest);
}

Kind names() {
    return kinds::form("a name of up to 64 letters, digits, _ and -", label_complaint);
}

Kind section() {
    return kinds::object("an object: { ... }");
}

Kind named() {
    return kinds::object("an object of named entries: { \"NAME\": { ... } }");
}

Key only_for(std::vector<std::string> sinks, Key key) {
    key.sinks = std::move(sinks);
    return key;
}

using Keys = std::vector<Key>;

Keys general() {
    return {
        {"", Node::section, section(), "{}", "The whole configuration."},
        {"mode", Node::value, kinds::choice({"enforce", "observe"}), R"("enforce")",
         "With `observe` all is computed and reported (`enforced: false`), but no disk is written, "
         "nobody is condemned and hooks get CONTINUE."},
        {"deadline", Node::value, deadline(), R"("300s")",
         "The whole boot job. Its work ends at `deadline` - `report.deadline`; longer deadlines of "
         "stages are clipped to that."},
    };
}

Keys metadata() {
    return {
        {"metadata", Node::section, section(), "{}", "How the instance learns who it is."},
        {"metadata.endpoint", Node::value,
         kinds::form("an http:// address without a path", endpoint_complaint), "null",
         "The metadata service. `null`: http://169.254.169.254 and, beside it after 250 ms, "
         "http://[fd00:ec2::254]; the one that gives a token is kept.",
         R"("http://169.254.169.254")"},
        {"metadata.confirmations", Node::value, kinds::whole_number(1, 100), "3",
         "So many equal readings in a row make an answer."},
        {"metadata.absence_span", Node::value, kinds::duration(10ms, 1h), R"("5s")",
         "A doubtful answer is believed when it was given over at least this long: that there is "
         "no "
         "such thing, one that the kernel contradicts, and one that was another one before."},
        {"metadata.deadline", Node::value, deadline(), R"("150s")",
         "How long to try for confirmed metadata."},
        {"metadata.imdsv1", Node::value, kinds::boolean(), "false",
         "Ask without a token (IMDSv1) where the service knows no tokens or the answer to the "
         "request for one does not arrive. The report says so when that was done."},
    };
}

Keys ephemeral() {
    return {
        {"ephemeral", Node::section, section(), "{}",
         "The instance's ephemeral disks, and what is made of them. An unknown key anywhere in "
         "here "
         "means that nothing is written."},
        {"ephemeral.expect", Node::value, kinds::expectation(), R"("any")",
         "How many ephemeral disks there must be: any number, none, exactly so many, at least so "
         "many, or one of these by instance type (`default`, itself \"any\" where it is left out, "
         "is for all other types). A larger number of disks than an exact one is used and noted; "
         "on "
         "Xen, where only the mapping proves a disk, it is refused.",
         R"({"by_type": {"i4i.large": 1}, "default": "any"})"},
        {"ephemeral.deadline", Node::value, deadline(), R"("60s")",
         "How long to wait for the disks to appear."},
        {"ephemeral.volume_group", Node::value,
         kinds::form("a volume group name that LVM takes", volume_group_complaint), R"("muster")",
         "The LVM volume group that is made of them."},
        {"ephemeral.on_foreign_data", Node::value,
         kinds::choice({"refuse", "wipe-preformatted", "wipe"}), R"("refuse")",
         "What to do about a disk that holds something that is not ours, and that nothing uses. "
         "\"wipe-preformatted\": a lone, empty, clean ext3 or ext4 may go, as some Xen instance "
         "types are delivered. \"wipe\": anything may go."},
        {"ephemeral.on_partial", Node::value, kinds::choice({"fail", "rebuild"}), R"("fail")",
         "What to do about our own volume group with a disk missing, on the same instance, when "
         "that disk has not come by `ephemeral.deadline`. \"rebuild\": the group is given up, with "
         "what is left of its data, and made anew from the disks that are here."},
    };
}

Keys volumes() {
    return {
        {"ephemeral.volumes", Node::map, named(), R"({"scratch": {"mount": "/mnt/scratch"}})",
         "The logical volumes, by name."},
        {"ephemeral.volumes.*", Node::entry,
         kinds::form("a volume name that LVM takes", logical_volume_complaint), "",
         "One logical volume."},
        {"ephemeral.volumes.*.size", Node::value, kinds::volume_size(), R"("100%")",
         "A share of the whole volume group (together 100% at most, less where there are amounts "
         "too) or an amount.",
         R"("100GiB")"},
        {"ephemeral.volumes.*.layout", Node::value, kinds::choice({"striped", "linear"}),
         R"("striped")", "`striped` over all disks, or `linear` over one after the other."},
        {"ephemeral.volumes.*.stripe_size", Node::value, kinds::stripe_size(), R"("256KiB")",
         "How much goes to one disk before the next, where the layout is `striped`."},
        {"ephemeral.volumes.*.filesystem", Node::value, kinds::choice({"xfs", "ext4", "none"}),
         R"("xfs")", "`none` leaves the bare volume. xfs needs 300MiB."},
        {"ephemeral.volumes.*.mount", Node::value,
         kinds::form("an absolute path such as \"/mnt/scratch\"", mount_point_complaint), "null",
         "Where it is mounted: to be given, unless there is no filesystem. The default volume "
         "`scratch` has `/mnt/scratch`; no volume is mounted at or beneath another's mount point. "
         "Links on the way are followed where root alone can change them.",
         R"("/mnt/scratch")"},
        {"ephemeral.volumes.*.options", Node::value, kinds::mount_options(), R"(["noatime"])",
         "Mount options.", R"(["noatime", "nodev"])"},
        {"ephemeral.volumes.*.mode", Node::value, kinds::permissions(), R"("1777")",
         "Permissions of the mounted folder."},
        {"ephemeral.volumes.*.owner", Node::value,
         kinds::form("\"USER:GROUP\", names or numbers", owner_complaint), R"("root:root")",
         "Owner of the mounted folder."},
    };
}

Keys ebs() {
    return {
        {"ebs", Node::map, named(), "null",
         "The EBS volumes that were promised, by a name of yours. Unset: every confirmed `ebsN` "
         "mapping is expected: those of the launch or the last start, not what was attached "
         "later. `{}`: none is."},
        {"ebs.*", Node::entry, names(), "",
         "One volume: `device`, `volume_id` or both. On Xen (no serials) its `device` must be "
         "given."},
        {"ebs.*.device", Node::value,
         kinds::form("a device name such as \"/dev/sdf\"", device_complaint), "null",
         "Its name in the block-device mapping.", R"("/dev/sdf")"},
        {"ebs.*.volume_id", Node::value, kinds::volume_id(), "null",
         "Its id, with or without the dash.", R"("vol-0123456789abcdef0")"},
        {"ebs.*.min_size", Node::value, kinds::size(1ULL << 20, 64ULL << 40), "null",
         "It must have at least this size.", R"("100GiB")"},
        {"ebs.*.deadline", Node::value, deadline(), R"("100s")",
         "How long to wait for it to appear and to answer."},
        {"ebs.*.write_probe", Node::value, kinds::boolean(), "false",
         "Also write, sync, read back and remove a file, `.muster-probe`, where its filesystem is "
         "mounted; it must be mounted by something else, within `deadline`. Only `muster run` in "
         "mode `enforce` writes."},
        {"ebs.*.polls", Node::value, kinds::moments(), "null",
         "When to look for it while no event tells of it, counted from the beginning of the wait. "
         "`null`: at times made from what was measured once; `muster tune` makes them from your "
         "own fleet's waits ([how](tune.md)).",
         R"(["9s", "10s", "12s", "20s"])"},
    };
}

Keys root_and_checks() {
    return {
        {"root", Node::section, section(), "{}", "The root volume."},
        {"root.min_free", Node::value, kinds::free_space(), R"("5%")",
         "The space that must be free.", R"("10GiB")"},
        {"root.min_free_inodes", Node::value, kinds::free_inodes(), R"("5%")",
         "The inodes that must be free.", "10000"},
        {"root.io_deadline", Node::value, kinds::duration(100ms, 1h), R"("30s")",
         "A read or write that takes longer is stuck."},
        {"checks", Node::map, named(), "{}",
         "Programs of yours that look for themselves, beside those in `/etc/muster/checks.d`: see "
         "[checks](checks.md)."},
        {"checks.*", Node::entry, names(), "", "One program. Exit status 0 is a pass."},
        {"checks.*.command", Node::value, kinds::command(), "",
         "The program and its arguments; no shell. No place for secrets.",
         R"(["/usr/local/sbin/app", "--check-config"])"},
        {"checks.*.deadline", Node::value, deadline(), R"("30s")",
         "It is ended then, and has failed."},
        {"checks.*.required", Node::value, kinds::boolean(), "true",
         "The machine is not ready unless it passes."},
        {"checks.*.recreate", Node::value, kinds::boolean(), "false",
         "Its failure advises to recreate the machine."},
    };
}

Keys report() {
    const Kind aws_name = kinds::form("a text of at most 1600 characters", aws_name_complaint);
    const Kind https = kinds::form("an https:// address", https_complaint, Shown::host);
    const Kind address = kinds::form("an https:// or http:// address", url_complaint, Shown::host);
    const std::vector<std::string> regional = {"autoscaling", "cloudformation", "ec2-tags",
                                               "eventbridge"};
    return {
        {"report", Node::section, section(), "{}", "Who is told, and until when it is tried."},
        {"report.deadline", Node::value, deadline(), R"("60s")",
         "The time that is kept for delivery: less than `deadline`."},
        {"report.to", Node::map, named(), "{}",
         "The sinks, by a name of yours. /run/muster/report.json is written in any case."},
        {"report.to.*", Node::entry, names(), "", "One sink."},
        {"report.to.*.type", Node::value,
         kinds::choice({"webhook", "file", "autoscaling", "cloudformation", "ec2-tags", "sqs",
                        "eventbridge"}),
         "",
         "What it is. A layer that changes it must take away the keys of the old type (`null`). "
         "Those of AWS are explained in [AWS](aws.md).",
         R"("webhook")"},
        {"report.to.*.required", Node::value, kinds::boolean(), "false",
         "Delivered means every required sink; any one, if none is required."},
        only_for({"webhook"}, {"report.to.*.url", Node::value, address, "",
                               "Where reports are posted. https; http works and is warned of.",
                               R"("https://scaler.example/v1/reports")"}),
        only_for({"webhook"},
                 {"report.to.*.ca_file", Node::value, kinds::path(), "null",
                  "PEM file of the authorities to trust instead of the system's. https only.",
                  R"("/etc/muster/ca.pem")"}),
        only_for({"webhook"}, {"report.to.*.token_file", Node::value, kinds::path(Shown::nothing),
                               "null", "File with a bearer token. The path, never the token.",
                               R"("/etc/muster/token")"}),
        only_for({"webhook"},
                 {"report.to.*.client_certificate", Node::value, kinds::path(), "null",
                  "PEM file of the certificate to show. https only; together with `client_key`.",
                  R"("/etc/muster/client.pem")"}),
        only_for({"webhook"},
                 {"report.to.*.client_key", Node::value, kinds::path(Shown::nothing), "null",
                  "PEM file of its key. The path, never the key.", R"("/etc/muster/client.key")"}),
        only_for({"webhook"}, {"report.to.*.proxy", Node::value,
                               kinds::form("an http:// or https:// address, or \"\" for no proxy",
                                           proxy_complaint, Shown::host),
                               "null", "`null`: as the environment says. `\"\"`: none.",
                               R"("http://proxy.example:3128")"}),
        only_for({"webhook"},
                 {"report.to.*.identity", Node::value, kinds::boolean(), "false",
                  "Send the signed identity document along, for the receiver to verify. https "
                  "only, since whoever has the signature can pass for the instance elsewhere."}),
        only_for({"file"},
                 {"report.to.*.path", Node::value,
                  kinds::form("an absolute path", report_file_complaint), "",
                  "The file that holds the latest report.", R"("/var/log/muster-report.json")"}),
        only_for({"autoscaling"},
                 {"report.to.*.group", Node::value, aws_name, "null",
                  "The Auto Scaling group. `null`: the instance's tag `aws:autoscaling:groupName`, "
                  "or else what AWS says of the instance.",
                  R"("workers")"}),
        only_for({"autoscaling"},
                 {"report.to.*.hook", Node::value, aws_name, "null",
                  "The lifecycle hook to answer. `null`: the group's only one for a launch.",
                  R"("muster")"}),
        only_for({"cloudformation"}, {"report.to.*.stack", Node::value, aws_name, "null",
                                      "The stack, by name or ARN. `null`: the instance's tag "
                                      "`aws:cloudformation:stack-name`.",
                                      R"("workers")"}),
        only_for({"cloudformation"},
                 {"report.to.*.resource", Node::value, aws_name, "null",
                  "The logical id of the resource that waits. `null`: the instance's tag "
                  "`aws:cloudformation:logical-id`.",
                  R"("WorkerGroup")"}),
        only_for({"ec2-tags"},
                 {"report.to.*.prefix", Node::value,
                  kinds::form("a text of at most 64 characters, not beginning with \"aws:\"",
                              tag_prefix_complaint),
                  R"("muster:")", "What the tags' keys begin with."}),
        only_for({"sqs"}, {"report.to.*.queue_url", Node::value, https, "",
                           "The queue's address, as SQS gives it.",
                           R"("https://sqs.eu-west-1.amazonaws.com/123456789012/reports")"}),
        only_for({"eventbridge"}, {"report.to.*.bus", Node::value, aws_name, R"("default")",
                                   "The event bus, by name or ARN.", R"("fleet")"}),
        only_for(regional, {"report.to.*.region", Node::value,
                            kinds::form("a region such as \"eu-west-1\"", region_complaint), "null",
                            "`null`: the instance's own.", R"("eu-west-1")"}),
        only_for(regional,
                 {"report.to.*.endpoint", Node::value, https, "null",
                  "The service's address, where it is a VPC endpoint's or a FIPS one. `null`: the "
                  "region's own.",
                  R"("https://vpce-0a1b2c3d-4e5f.autoscaling.eu-west-1.vpce.amazonaws.com")"}),
    };
}

Keys afterwards() {
    return {
        {"on_failure", Node::section, section(), "{}",
         "What the machine does to itself when it failed."},
        {"on_failure.action", Node::value, kinds::choice({"none", "poweroff"}), R"("none")",
         "Nothing, or to power off once the report is delivered or has had its time: only after "
         "`failed` with `recreate: true`, in mode `enforce`, and not while held."},
        {"on_failure.delay", Node::value, kinds::duration(1s, kLongest), R"("60s")",
         "How long before that; up to half of it more by chance, so that a fleet does not go in "
         "one second."},
        {"hold", Node::section, section(), "{}",
         "While held a failed machine is approved (its hook gets CONTINUE, its stack SUCCESS), not "
         "marked unhealthy, and not powered off."},
        {"hold.file", Node::value, kinds::form("a path beneath /run", run_file_complaint),
         R"("/run/muster/hold")",
         "Held while this file is there. Beneath /run, since any other disk may be stuck."},
        {"hold.tag", Node::value,
         kinds::form("a tag's key, as instance metadata can show it", tag_complaint),
         R"("muster:hold")",
         "Held while the instance has this tag, whatever its value. Instance tags must be allowed "
         "in its metadata options."},
        {"watch", Node::section, section(), "{}", "How `muster watch` looks."},
        {"watch.interval", Node::value, kinds::duration(1s, 24h), R"("30s")",
         "How often it looks, give or take a fifth."},
        {"watch.bad", Node::value, kinds::whole_number(1, 100), "3",
         "So many bad looks at a volume ..."},
        {"watch.of", Node::value, kinds::whole_number(1, 100), "5",
         "... of the last so many mean degraded; not less than `bad`. After `bad` good ones in a "
         "row it has recovered."},
        {"watch.heartbeat", Node::value, kinds::duration(1s, 24h), R"("5m")",
         "How often, at least, it says that it is there."},
        {"metrics", Node::section, section(), "{}", "Numbers for a monitoring system."},
        {"metrics.textfile", Node::value, kinds::path(), "null",
         "A file for node-exporter's textfile collector, written by `muster watch`, whole or not "
         "at all, mode 0644.",
         R"("/var/lib/node-exporter/muster.prom")"},
    };
}

} // namespace

std::vector<Key> config_keys() {
    std::vector<Key> all;
    for (auto part :
         {general, metadata, ephemeral, volumes, ebs, root_and_checks, report, afterwards}) {
        for (auto& key : part()) {
            all.push_back(std::move(key));
        }
    }
    return all;
}

} // namespace muster
