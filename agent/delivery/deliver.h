// What is still in the spool, sent late.
#pragma once

#include "agent/config/config.h"
#include "agent/delivery/far_spool.h"
#include "agent/sys/clock.h"
#include "agent/sys/files.h"

namespace muster {

/// Brings what is in the spool to its sinks, for as long as `patience`: the sinks side by side, the
/// reports of each in their order. True where nothing remains.
/// `far`: what survived a reboot; none where it must not be touched.
[[nodiscard]] bool empty_spool(const Files& files, Clock& clock, const Config& config,
                               Duration patience, FarSpool* far = nullptr);

} // namespace muster
