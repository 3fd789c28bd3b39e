// How values go to a helper and come back: CBOR, since strings in it may hold any bytes (a file's
// label, a program's output). Private to sys.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "agent/sys/isolate.h"
#include "agent/sys/result.h"

namespace muster::wire {

using Json = nlohmann::json;

/// In the helper: gives the argument to `work`, and its result the shape that `call` reads.
[[nodiscard]] std::string serve(std::string_view argument, Result<Json> (*work)(const Json&));

/// In the agent: one isolated call. The result is the work's own, or an error of the call.
[[nodiscard]] Result<Json> call(Isolate& isolate, IsolatedFunction function, const Json& argument,
                                Deadline deadline);

} // namespace muster::wire
