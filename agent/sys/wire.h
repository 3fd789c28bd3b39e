// How values go to a helper and come back: CBOR, since strings in it may hold any bytes (a file's
// label, a program's output). Private to sys.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "agent/sys/isolate.h"
#include "agent/sys/result.h"

namespace muster::wire {

using Json = nlohmann::json;

/// In the helper: gives the argument to `work`, and its result the shape that `call` reads.
[[nodiscard]] std::string serve(std::string_view argument, Result<Json> (*work)(const Json&));

/// In the agent: begins a call.
[[nodiscard]] Result<std::unique_ptr<IsolatedCall>>
start(Isolate& isolate, IsolatedFunction function, const Json& argument);

/// Waits for its result: the work's own, or an error of the call.
[[nodiscard]] Result<Json> finish(IsolatedCall& call, Deadline deadline);

/// Both in one.
[[nodiscard]] Result<Json> call(Isolate& isolate, IsolatedFunction function, const Json& argument,
                                Deadline deadline);

} // namespace muster::wire
