#include "agent/config/forms.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>

namespace muster {

namespace {

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kDigits = "0123456789";

bool is_one_of(std::string_view alphabets, char c) {
    return alphabets.find(c) != alphabets.npos;
}

bool is_alphanumeric(char c) {
    return is_one_of(kLower, c) || is_one_of(kUpper, c) || is_one_of(kDigits, c);
}

/// Letters and digits, and those of `more`.
bool consists_of(std::string_view text, std::string_view more) {
    return std::ranges::all_of(text,
                               [&](char c) { return is_alphanumeric(c) || is_one_of(more, c); });
}

bool is_number(std::string_view text, std::uint64_t limit) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && value <= limit;
}

bool has_control(std::string_view text) {
    return std::ranges::any_of(
        text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// White space is written as \040 in mountinfo and fstab, and half of their readers get it wrong.
bool is_awkward(std::string_view text) {
    return has_control(text) || text.find_first_of(" \\\"'") != text.npos;
}

Complaint lvm_name_complaint(std::string_view name, std::string_view what) {
    if (name.empty() || name.size() > kMapperNameLimit || !consists_of(name, "+_.-") ||
        name.starts_with('-') || name == "." || name == "..") {
        return std::string(what) +
               " that LVM takes: letters, digits and + _ . - (not first), up to 127 of them";
    }
    return std::nullopt;
}

bool is_user_or_group(std::string_view name) {
    // 2^32-1 means "leave it as it is" to chown(2).
    return is_number(name, std::numeric_limits<std::uint32_t>::max() - 1) ||
           (!name.empty() && name.size() <= 32 && !is_one_of(kDigits, name.front()) &&
            !name.starts_with('-') && consists_of(name, "_.-"));
}

struct Address {
    std::string_view scheme, authority, rest;
};

std::optional<Address> split_address(std::string_view url) {
    const auto colon = url.find("://");
    if (colon == url.npos) {
        return std::nullopt;
    }
    const auto after = url.substr(colon + 3);
    const auto end = std::min(after.find_first_of("/?#"), after.size());
    return Address{url.substr(0, colon), after.substr(0, end), after.substr(end)};
}

bool is_host_and_port(std::string_view authority) {
    std::string_view port = "80";
    std::string_view host = authority;
    const auto colon = authority.rfind(':');
    if (colon != authority.npos && !authority.ends_with(']')) {
        host = authority.substr(0, colon);
        port = authority.substr(colon + 1);
    }
    if (!is_number(port, 65535) || port.find_first_not_of('0') == port.npos) {
        return false;
    }
    if (host.starts_with('[')) {
        return host.size() > 3 && host.ends_with(']') &&
               host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdefABCDEF:.") ==
                   host.npos;
    }
    return !host.empty() && host.size() <= 253 && consists_of(host, "-._");
}

bool is_printable_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

} // namespace

Complaint label_complaint(std::string_view name) {
    if (name.empty() || name.size() > 64 || !consists_of(name, "_-")) {
        return "a name of up to 64 letters, digits, _ and -";
    }
    return std::nullopt;
}

Complaint logical_volume_complaint(std::string_view name) {
    if (auto complaint = lvm_name_complaint(name, "a volume name")) {
        return complaint;
    }
    // lvm(8), and the few more that lvm2 2.03 itself appends to names.
    constexpr std::array kPrefixes = {"snapshot", "pvmove"};
    constexpr std::array kParts = {"_cdata", "_cmeta",  "_corig",   "_cpool", "_cvol",
                                   "_imeta", "_iorig",  "_mimage",  "_mlog",  "_pmspare",
                                   "_rmeta", "_rimage", "_tdata",   "_tmeta", "_tpool",
                                   "_vdata", "_vpool",  "_vorigin", "_wcorig"};
    for (const std::string_view prefix : kPrefixes) {
        if (name.starts_with(prefix)) {
            return "a volume name that does not begin with \"" + std::string(prefix) +
                   "\", which LVM keeps for itself";
        }
    }
    for (const std::string_view part : kParts) {
        if (name.find(part) != name.npos) {
            return "a volume name without \"" + std::string(part) +
                   "\", which LVM keeps for itself";
        }
    }
    return std::nullopt;
}

Complaint volume_group_complaint(std::string_view name) {
    // vgcreate refuses a name that stands in /dev. These always do; others only the machine knows.
    constexpr std::array kTaken = {"block",  "bus",   "char",   "console", "cpu",     "disk", "fd",
                                   "full",   "input", "kmsg",   "log",     "mapper",  "mem",  "net",
                                   "null",   "port",  "ptmx",   "pts",     "random",  "root", "shm",
                                   "stderr", "stdin", "stdout", "tty",     "urandom", "zero"};
    if (std::ranges::find(kTaken, name) != kTaken.end()) {
        return "a volume group name that is not there in /dev already";
    }
    return lvm_name_complaint(name, "a volume group name");
}

std::size_t mapper_name_length(std::string_view group, std::string_view volume) {
    // "GROUP-VOLUME", in which a hyphen of either is doubled.
    const auto hyphens = std::ranges::count(group, '-') + std::ranges::count(volume, '-');
    return group.size() + volume.size() + 1 + static_cast<std::size_t>(hyphens);
}

bool is_within(std::string_view path, std::string_view tree) {
    return path.starts_with(tree) && (path.size() == tree.size() || path[tree.size()] == '/');
}

Complaint path_complaint(std::string_view path) {
    const std::string folded = std::string(path) + "/";
    const bool normal = path.starts_with('/') && !path.ends_with('/') &&
                        folded.find("//") == folded.npos && folded.find("/./") == folded.npos &&
                        folded.find("/../") == folded.npos;
    if (!normal || path.size() > 1024 || has_control(path)) {
        return "an absolute path without \".\", \"..\", \"//\" or a \"/\" at its end";
    }
    return std::nullopt;
}

Complaint run_file_complaint(std::string_view path) {
    if (auto complaint = path_complaint(path)) {
        return complaint;
    }
    if (!is_within(path, "/run") || path == "/run") {
        return "a path beneath /run, such as /run/muster/hold";
    }
    return std::nullopt;
}

Complaint mount_point_complaint(std::string_view path) {
    if (auto complaint = path_complaint(path)) {
        return complaint;
    }
    if (is_awkward(path)) {
        return "a path without white space, quotes or backslashes";
    }
    constexpr std::array kTrees = {"/proc", "/sys",        "/dev",           "/boot",
                                   "/etc",  "/run/muster", "/var/lib/muster"};
    constexpr std::array kFolders = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"};
    const auto hidden = [&](std::string_view tree) {
        return is_within(path, tree) || is_within(tree, path);
    };
    if (std::ranges::any_of(kTrees, hidden) ||
        std::ranges::find(kFolders, path) != kFolders.end()) {
        return "a folder that the system and muster itself can do without, such as /mnt/scratch";
    }
    return std::nullopt;
}

Complaint report_file_complaint(std::string_view path) {
    if (auto complaint = path_complaint(path)) {
        return complaint;
    }
    constexpr std::array kTrees = {"/proc", "/sys", "/dev"};
    if (std::ranges::any_of(kTrees, [&](auto tree) { return is_within(path, tree); })) {
        return "the path of a plain file, not beneath /proc, /sys or /dev";
    }
    return std::nullopt;
}

Complaint mount_option_complaint(std::string_view option) {
    if (option.empty() || option.size() > 128 || option.find(',') != option.npos ||
        is_awkward(option)) {
        return "one mount option an entry, without commas or white space";
    }
    constexpr std::array kOurs = {"ro", "remount", "bind", "rbind", "move", "loop"};
    if (std::ranges::find(kOurs, option) != kOurs.end()) {
        return "no option \"" + std::string(option) + "\": muster controls that itself";
    }
    // mount(8) reads these in fstab; to the filesystem they'd be unknown, and the mount would fail.
    constexpr std::array kFstab = {"auto",  "noauto", "nofail", "user",    "nouser",
                                   "users", "group",  "owner",  "_netdev", "defaults"};
    if (std::ranges::find(kFstab, option) != kFstab.end() || option.starts_with("x-")) {
        return "no option \"" + std::string(option) + "\": it means something in fstab only";
    }
    return std::nullopt;
}

Complaint owner_complaint(std::string_view owner) {
    const auto colon = owner.find(':');
    if (colon == owner.npos || !is_user_or_group(owner.substr(0, colon)) ||
        !is_user_or_group(owner.substr(colon + 1))) {
        return "\"USER:GROUP\", names or numbers, such as \"root:root\" or \"1000:1000\"";
    }
    return std::nullopt;
}

Complaint url_complaint(std::string_view url) {
    const auto address = split_address(url);
    if (!address || (address->scheme != "http" && address->scheme != "https")) {
        return "an address that begins with https:// or http://";
    }
    if (address->authority.find('@') != url.npos) {
        return "an address without user and password: secrets stay out of the configuration";
    }
    if (!is_host_and_port(address->authority) || !is_printable_ascii(url) || url.size() > 2048 ||
        url.find_first_of("\\\"<>") != url.npos) {
        return "an address with a host, such as https://scaler.example/v1/reports";
    }
    return std::nullopt;
}

Complaint proxy_complaint(std::string_view url) {
    return url.empty() ? std::nullopt : url_complaint(url);
}

Complaint endpoint_complaint(std::string_view url) {
    if (auto complaint = url_complaint(url)) {
        return complaint;
    }
    const auto address = split_address(url);
    if (!address || address->scheme != "http" || !(address->rest.empty() || address->rest == "/")) {
        return "http:// and a host alone, such as http://169.254.169.254";
    }
    return std::nullopt;
}

Complaint tag_complaint(std::string_view key) {
    if (key.empty() || key.size() > 128 || has_control(key) ||
        key.find_first_of(" /") != std::string_view::npos) {
        return "a tag's key of at most 128 characters without spaces or \"/\"";
    }
    return std::nullopt;
}

Complaint tag_prefix_complaint(std::string_view prefix) {
    if (tag_complaint(prefix) || prefix.size() > 64 || prefix.starts_with("aws:")) {
        return "a text of at most 64 characters without spaces or \"/\", not beginning with "
               "\"aws:\"";
    }
    return std::nullopt;
}

Complaint aws_name_complaint(std::string_view name) {
    if (name.empty() || name.size() > 1600 || has_control(name)) {
        return "a text of at most 1600 characters";
    }
    return std::nullopt;
}

Complaint region_complaint(std::string_view region) {
    constexpr std::size_t kLongestLabel = 63; // of a host's name
    const auto is_allowed = [](char c) {
        return is_one_of(kLower, c) || is_one_of(kDigits, c) || c == '-';
    };
    if (region.empty() || region.size() > kLongestLabel ||
        !std::ranges::all_of(region, is_allowed)) {
        return "a region such as \"eu-west-1\"";
    }
    return std::nullopt;
}

Complaint https_complaint(std::string_view url) {
    if (url_complaint(url) || !url.starts_with("https://")) {
        return "an https:// address";
    }
    return std::nullopt;
}

Complaint device_complaint(std::string_view device) {
    for (const std::string_view prefix : {"/dev/sd", "/dev/xvd", "/dev/hd"}) {
        if (!device.starts_with(prefix)) {
            continue;
        }
        const auto rest = device.substr(prefix.size());
        const auto letters = std::min(rest.find_first_not_of(kLower), rest.size());
        const auto number = rest.substr(letters);
        if (letters >= 1 && letters <= 2 && (number.empty() || is_number(number, 99))) {
            return std::nullopt;
        }
    }
    return "a name of the block-device mapping, such as \"/dev/sdf\" or \"/dev/xvdf\"";
}

std::optional<std::string> normal_volume_id(std::string_view text) {
    if (!text.starts_with("vol")) {
        return std::nullopt;
    }
    text.remove_prefix(text.starts_with("vol-") ? 4 : 3);
    if ((text.size() != 8 && text.size() != 17) ||
        text.find_first_not_of("0123456789abcdef") != text.npos) {
        return std::nullopt;
    }
    return "vol-" + std::string(text);
}

bool is_instance_type(std::string_view text) {
    const auto dot = text.find('.');
    const auto is_part = [](std::string_view part) {
        return !part.empty() && part.find_first_of(kUpper) == part.npos && consists_of(part, "-");
    };
    return dot != text.npos && text.size() <= 64 && is_part(text.substr(0, dot)) &&
           is_part(text.substr(dot + 1));
}

} // namespace muster
