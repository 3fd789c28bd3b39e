#include "agent/sys/wire.h"

#include <exception>

#include "agent/sys/json_text.h"

namespace muster::wire {

namespace {

/// Both ends are this very program, so a value of another shape is a mistake of ours.
Result<Json> decode(std::string_view bytes) {
    Json value = parse_cbor(bytes);
    if (value.is_discarded()) {
        return fail(Errc::internal, "a message of a helper can't be read");
    }
    return value;
}

} // namespace

std::string serve(std::string_view argument, Result<Json> (*work)(const Json&)) {
    const auto decoded = decode(argument);
    const auto result = decoded ? work(*decoded) : decoded;
    if (result) {
        return to_cbor(Json{{"value", *result}});
    }
    return to_cbor(Json{{"error", static_cast<int>(result.error().code)},
                        {"message", result.error().message}});
}

Result<std::unique_ptr<IsolatedCall>> start(Isolate& isolate, IsolatedFunction function,
                                            const Json& argument) {
    return isolate.start(function, to_cbor(argument));
}

Result<Json> finish(IsolatedCall& call, Deadline deadline) {
    auto bytes = call.wait(deadline);
    if (!bytes) {
        return fail(std::move(bytes.error()));
    }
    auto answer = decode(*bytes);
    if (!answer) {
        return answer;
    }
    if (const auto value = answer->find("value"); value != answer->end()) {
        return std::move(*value);
    }
    try {
        return fail(static_cast<Errc>(answer->at("error").get<int>()),
                    answer->at("message").get<std::string>());
    } catch (const std::exception& exception) {
        return fail(Errc::internal, exception.what());
    }
}

Result<Json> call(Isolate& isolate, IsolatedFunction function, const Json& argument,
                  Deadline deadline) {
    auto started = start(isolate, function, argument);
    if (!started) {
        return fail(std::move(started.error()));
    }
    return finish(**started, deadline);
}

} // namespace muster::wire
