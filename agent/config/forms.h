// What a text must look like to be a mount point, an address, a name that LVM takes ... Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace muster {

/// Nothing where the text is right, else what was expected, for a person.
using Complaint = std::optional<std::string>;

/// A name of the owner's own (a sink, an EBS volume, a check).
[[nodiscard]] Complaint label_complaint(std::string_view name);

/// lvm(8), "VALID NAMES".
[[nodiscard]] Complaint logical_volume_complaint(std::string_view name);
[[nodiscard]] Complaint volume_group_complaint(std::string_view name);

/// The length of the device-mapper name of a volume; its limit is kMapperNameLimit.
[[nodiscard]] std::size_t mapper_name_length(std::string_view group, std::string_view volume);
inline constexpr std::size_t kMapperNameLimit = 127;

/// True for `tree` itself and whatever is beneath it.
[[nodiscard]] bool is_within(std::string_view path, std::string_view tree);

/// An absolute path with nothing to resolve in it.
[[nodiscard]] Complaint path_complaint(std::string_view path);
/// A file on the tmpfs that every system has at /run.
[[nodiscard]] Complaint run_file_complaint(std::string_view path);
[[nodiscard]] Complaint mount_point_complaint(std::string_view path);
[[nodiscard]] Complaint report_file_complaint(std::string_view path);
[[nodiscard]] Complaint mount_option_complaint(std::string_view option);

/// "user:group", names or numbers.
[[nodiscard]] Complaint owner_complaint(std::string_view owner);

[[nodiscard]] Complaint url_complaint(std::string_view url);
/// Signed requests go nowhere else.
[[nodiscard]] Complaint https_complaint(std::string_view url);
/// A proxy's address, or "" for none at all.
[[nodiscard]] Complaint proxy_complaint(std::string_view url);
/// Plain http, host and port only.
[[nodiscard]] Complaint endpoint_complaint(std::string_view url);

/// The key of a tag: at most 128 characters, and neither a space nor a "/", which instance metadata
/// can't show (EC2 User Guide, "Work with instance tags in instance metadata").
[[nodiscard]] Complaint tag_complaint(std::string_view key);

/// What the tags of a sink begin with; "aws:" is AWS's own.
[[nodiscard]] Complaint tag_prefix_complaint(std::string_view prefix);
/// The name or ARN of a group, hook, stack, resource or bus.
[[nodiscard]] Complaint aws_name_complaint(std::string_view name);
/// "eu-west-1": it becomes part of a host's name.
[[nodiscard]] Complaint region_complaint(std::string_view region);

/// A name of a block-device mapping: "/dev/sdf".
[[nodiscard]] Complaint device_complaint(std::string_view device);
/// "vol-0123456789abcdef0"; taken without the dash too, as NVMe serials have it.
[[nodiscard]] std::optional<std::string> normal_volume_id(std::string_view text);
/// "i4i.large"
[[nodiscard]] bool is_instance_type(std::string_view text);

} // namespace muster
