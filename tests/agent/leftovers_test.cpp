#include "agent/delivery/leftovers.h"
#include "tests/catch.h"

using namespace muster;

TEST_CASE("leftovers: what a later report makes void") {
    struct Row {
        const char* earlier;
        const char* later;
        bool is_void;
    };
    for (const auto& [earlier, later, is_void] : {
             Row{"failed", "ready", true},
             Row{"ready", "failed", true},
             Row{"failed", "", true}, // it can't be told: as if it were a verdict
             Row{"", "ready", true},
             // A machine that failed is not saved by what watch sees of it, nor by a notice.
             Row{"failed", "degraded", false},
             Row{"failed", "recovered", false},
             Row{"failed", "notice", false},
             Row{"failed", "stopping", false},
             Row{"", "degraded", false},
             Row{"degraded", "recovered", true},
             Row{"recovered", "degraded", true},
             Row{"degraded", "degraded", true},
             Row{"degraded", "ready", true},
             Row{"degraded", "notice", false},
             Row{"degraded", "stopping", false},
             Row{"notice", "notice", false},
             Row{"notice", "ready", false},
             Row{"stopping", "notice", true},
             Row{"stopping", "degraded", true},
         }) {
        INFO(earlier << ", then " << later);
        CHECK(makes_void({"b", 8, later}, {"b", 7, earlier}) == is_void);
        CHECK_FALSE(makes_void({"b", 7, later}, {"b", 8, earlier}));
        CHECK_FALSE(makes_void({"b", 7, later}, {"b", 7, earlier}));
        CHECK(makes_void({"another boot", 1, later}, {"b", 7, earlier}));
    }
}
