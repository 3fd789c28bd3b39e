// What a service tells systemd (sd_notify(3)), without its library: the program is static.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/sys/clock.h"
#include "agent/sys/result.h"

namespace muster {

/// Sends `state` ("READY=1", several lines are several assignments) to the service manager's
/// datagram socket: a path, or, with "@" in front, an abstract name. "": there is no manager, and
/// nothing is done. Never waits longer than a second.
[[nodiscard]] Result<void> notify_manager(const std::string& socket, std::string_view state);

/// $NOTIFY_SOCKET; "" where nobody wants to be told.
[[nodiscard]] std::string manager_socket();

/// How often the manager wants to hear "WATCHDOG=1", from $WATCHDOG_USEC and $WATCHDOG_PID: half of
/// the time after which it ends us. Nothing where it does not.
[[nodiscard]] std::optional<Duration> watchdog_interval();

/// "RELOADING=1" with the time that goes with it: systemd tells by that a reload that was asked for
/// from an earlier one.
[[nodiscard]] std::string reloading_state();

} // namespace muster
