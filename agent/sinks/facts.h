// What a report says that a sink acts on, and whether it may. Pure.
#pragma once

#include <string>

#include "agent/hold.h"
#include "agent/sinks/sink.h"

namespace muster {

/// Taken from the report's own text: a spooled one has nothing else.
struct Facts {
    std::string outcome; ///< "" where the text is no report
    std::string boot_id;
    std::string instance_id; ///< "" where it is not told
    std::string reason;      ///< the code; "" where there is none
    std::string time;
    bool recreate = false;
    bool enforced = true;    ///< false in mode "observe"
    bool superseded = false; ///< something newer is known
};
[[nodiscard]] Facts facts_of(const std::string& body);

/// `in-progress` or a verdict; what `watch` says is none of those that act.
[[nodiscard]] bool is_of_a_boot(const Facts& facts);

/// The boot and the machine that ask.
struct Here {
    std::string boot_id;     ///< "" where unknown
    std::string instance_id; ///< "" where unknown: then what names another one can't be told
};

/// What a sink that acts is to make of a report.
struct Judgement {
    enum class Act {
        nothing, ///< and the report is delivered by that
        wait,    ///< the boot goes on
        approve, ///< the machine may go into service
        condemn, ///< the machine is to be replaced
    };
    Act act = Act::nothing;
    std::string why; ///< of `nothing`, and of an approval in spite of a failure; for the log
};

/// Only this boot's own latest verdict acts. Nothing condemns but a `failed` with `recreate: true`
/// that `run` itself has just given: what comes late, or from `watch`, does not. In mode "observe",
/// and while the machine is held, a failure is approved: nobody is condemned, and a group is not
/// kept waiting for an answer.
[[nodiscard]] Judgement judge(const Facts& facts, bool fresh, const Here& here, const Hold& hold);

/// A verdict of this boot and instance, the latest that is known.
[[nodiscard]] bool is_current_verdict(const Facts& facts, const Here& here);

} // namespace muster
